import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import { expect, test } from 'vitest';
import { asUndecoded } from '../../src/core/undecoded.js';
import { checkedConverter } from '../../src/worker/checked-converter.js';

const context = { type: 'workflow', namespace: 'default', workflowId: 'run' } as const;
const sealed: Payload = { metadata: { encoding: new TextEncoder().encode('binary/mine') }, data: new Uint8Array([1]) };

test('a failure that says nothing is waited for, two minutes by default', async () => {
  let now = 0;
  const codec = checked(failing(new Error('boom')), () => now);
  await expect(codec.decode([sealed], context)).rejects.toThrow('Internal: The data converter failed (boom)');
  now = 60_000;
  await expect(codec.decode([sealed], context)).rejects.toThrow('boom');
  now = 120_000;
  expect(await read(codec, sealed)).toMatchObject({ encoding: 'binary/mine', reason: 'boom', hasConverter: true });
});

test('of very many runs that fail, each new one is given up in its time too', async () => {
  let now = 0;
  const codec = checked(failing(new Error('boom')), () => now);
  for (let run = 0; run < 1_001; run += 1) {
    const failed = codec.decode([sealed], { ...context, workflowId: `run-${String(run)}` });
    await expect(failed).rejects.toThrow('boom');
  }
  now = 120_000;
  expect(await codec.decode([sealed], { ...context, workflowId: 'run-1000' })).toHaveLength(1);
});

test('what an outage refuses is never given up', async () => {
  let now = 0;
  const codec = checked(failing(new Error('connect ECONNREFUSED 10.0.0.1:443')), () => now);
  await expect(codec.decode([sealed], context)).rejects.toThrow('ECONNREFUSED');
  now = 1e9;
  await expect(codec.decode([sealed], context)).rejects.toThrow('ECONNREFUSED');
});

test('without a converter the encoding that nobody knows is named', async () => {
  const codec = checked(undefined, () => 0);
  expect(await read(codec, sealed)).toMatchObject({ encoding: 'binary/mine', hasConverter: false });
});

test('a converter is checked once', () => {
  const once = checkedConverter({});
  expect(checkedConverter(once)).toBe(once);
});

function failing(error: Error): PayloadCodec {
  return { encode: (payloads) => Promise.resolve(payloads), decode: () => Promise.reject(error) };
}

function checked(codec: PayloadCodec | undefined, now: () => number): PayloadCodec {
  const converter = codec === undefined ? {} : { payloadCodecs: [codec] };
  const [check] = checkedConverter(converter, { now }).payloadCodecs ?? [];
  if (check === undefined) throw new Error('There is no check');
  return check;
}

async function read(codec: PayloadCodec, payload: Payload): Promise<unknown> {
  const [decoded] = await codec.decode([payload], context);
  return asUndecoded(decoded === undefined ? undefined : defaultPayloadConverter.fromPayload(decoded));
}
