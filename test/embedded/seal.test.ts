import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultPayloadConverter, type Payload, type SerializationContext } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import {
  foreignRun,
  isForeign,
  readSealKey,
  sealForClient,
  sealForWorker,
  sessionOfCommand,
  type SealKey,
} from '../../src/embedded/seal.js';
import { tmpFolder } from '../helpers/tmp.js';

const KEY: SealKey = { key: Buffer.alloc(32, 1), session: 'now' };
const RUN: SerializationContext = { type: 'workflow', namespace: 'default', workflowId: 'prefetch/org/model@main/1' };
const STEP: SerializationContext = { ...RUN, type: 'activity', activityId: '1', isLocal: false };

describe('a seal', () => {
  it('lets a worker and a client read what a command of the home wrote, and leaves it readable for others', async () => {
    const sealed = await write({ repo: 'org/model' }, RUN);
    expect(value(sealed)).toEqual({ repo: 'org/model' });
    expect(await readAsWorker(sealed, RUN)).toEqual({ repo: 'org/model' });
    expect(await readAsClient(sealed, RUN)).toEqual({ repo: 'org/model' });
    expect(await readAsWorker(await write(undefined, STEP), STEP)).toBeUndefined();
  });

  it.each<[string, (sealed: Payload) => Payload | Promise<Payload>]>([
    ['no seal', () => payload({ repo: 'org/model' })],
    ['the seal of other content', (sealed) => ({ ...sealed, data: Buffer.from('{"repo":"org/other"}') })],
    ['the seal of another run', () => write({}, { ...RUN, workflowId: 'prefetch/org/model@main/2' })],
    ['the seal of a result of a step', () => write({}, STEP)],
    ["a stranger's seal", () => write({}, RUN, { ...KEY, key: Buffer.alloc(32, 2) })],
    ['the seal of another encoding', (sealed) => withEncoding(sealed, 'json/other')],
  ])('is missed in what has %s', async (_case, change) => {
    const given = await change(await write({ repo: 'org/model' }, RUN));
    expect(isForeign(await readAsWorker(given, RUN))).toBe(true);
    await expect(readAsClient(given, RUN)).rejects.toThrow(/^WorkflowNotFound: /);
  });

  it('of an earlier life of the server is good for looking, but not for work', async () => {
    const earlier = await write({ path: 'file:///dir/' }, RUN, { ...KEY, session: 'before' });
    expect(isForeign(await readAsWorker(earlier, RUN))).toBe(true);
    expect(await readAsClient(earlier, RUN)).toEqual({ path: 'file:///dir/' });
    await expect(readAsClient(earlier, RUN, 'now')).rejects.toThrow(/^WorkflowNotFound: /);
  });

  it('of a command that joined is good for its own worker alone, and for all who look', async () => {
    const joined = { ...KEY, session: sessionOfCommand(KEY.session, 'a1') };
    const sealed = await write({ repo: 'org/model' }, RUN, joined);
    expect(isForeign(await readAsWorker(sealed, RUN))).toBe(true);
    expect(await readAsClient(sealed, RUN, 'now')).toEqual({ repo: 'org/model' });
  });

  it('is asked of the arguments and results of steps, whose lack is an error', async () => {
    await expect(readAsWorker(payload({}), STEP)).rejects.toThrow(foreignRun().message);
    await expect(readAsWorker(await write({}, { ...STEP, workflowId: 'other' }), STEP)).rejects.toThrow(
      /^DestinationNotAllowed: /
    );
  });

  it('is made with a key that all commands of a home share and its owner alone can read', async () => {
    const home = await tmpFolder();
    const keys = await Promise.all(Array.from({ length: 5 }, () => readSealKey(home)));
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
    expect(keys[0]).toHaveLength(32);
    expect(await readdir(home)).toEqual(['key']);
    expect((await stat(join(home, 'key'))).mode & 0o777).toBe(0o600);
  });
});

function payload(content: unknown): Payload {
  return defaultPayloadConverter.toPayload(content);
}

function value(given: Payload): unknown {
  return defaultPayloadConverter.fromPayload(given);
}

async function write(content: unknown, context: SerializationContext, key = KEY): Promise<Payload> {
  const [codec] = sealForWorker(key).payloadCodecs ?? [];
  const [sealed] = (await codec?.encode([payload(content)], context)) ?? [];
  if (sealed === undefined) throw new Error('no payload');
  return sealed;
}

async function readAsWorker(given: Payload, context: SerializationContext): Promise<unknown> {
  const [codec] = sealForWorker(KEY).payloadCodecs ?? [];
  const [read] = (await codec?.decode([given], context)) ?? [];
  return read === undefined ? undefined : value(read);
}

async function readAsClient(
  given: Payload,
  context: SerializationContext,
  sealed: 'now' | 'ever' = 'ever'
): Promise<unknown> {
  const [codec] = sealForClient(KEY, { sealed }).payloadCodecs ?? [];
  const [read] = (await codec?.decode([given], context)) ?? [];
  return read === undefined ? undefined : value(read);
}

function withEncoding(sealed: Payload, encoding: string): Payload {
  return { ...sealed, metadata: { ...sealed.metadata, encoding: Buffer.from(encoding) } };
}
