import { afterEach, describe, expect, test } from 'vitest';
import { closeIdleSockets } from '../../../src/http/agents.js';
import { checkFrames } from '../../../src/shard/native/check-frames.js';
import { checkSource } from '../../../src/shard/native/check-source.js';
import { setUpShards, shardObjects, type ShardChange, type ShardSetup } from '../../helpers/shard-setup.js';
import { lateRefusal } from '../../helpers/refusal.js';
import { failure, live } from '../../helpers/transfer-setup.js';
import { llama } from '../layout/configs.js';
import { planOf, randomCheckpoint } from './bytes-in-memory.js';
import { setUpCheck } from './check-setup.js';

const SOURCE = 'source/model-1.safetensors';
const open: ShardSetup[] = [];

afterEach(async () => {
  closeIdleSockets();
  for (const setup of open.splice(0)) {
    expect(setup.engine.memory.inUseBytes).toBe(0);
    await setup.close();
  }
});

async function written(change: ShardChange, name = 'llama-untied') {
  const setup = await setUpShards(name);
  open.push(setup);
  const layout = setup.layout(change);
  await setup.write(layout);
  return { setup, layout, digest: setup.model.file_sha256 };
}

/** Changes one byte of an object in place. */
function flip(setup: ShardSetup, key: string, at: number): void {
  const bytes = Buffer.from(setup.store.objects.get(key) ?? []);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  setup.store.objects.set(key, bytes);
}

describe.each(['by digest', 'by bytes'])('shards that are compared %s', (how) => {
  const known = (digest: string) => (how === 'by digest' ? digest : undefined);

  test('give the digest of the weights file', async () => {
    const { setup, layout, digest } = await written({ ranks: 4, maxFileSize: 40_000 });
    expect(await setup.check(layout, known(digest))).toEqual([digest]);
  });

  test('fail where a file of any rank and part is gone', async () => {
    const { setup, layout, digest } = await written({ ranks: 2, maxFileSize: 100_000 });
    for (const { key } of shardObjects(layout)) {
      const bytes = setup.store.objects.get(key) ?? Buffer.alloc(0);
      setup.store.objects.delete(key);
      expect(await failure(setup.check(layout, known(digest)))).toMatchObject({
        code: 'ObjectNotFound',
        message: expect.stringContaining(key) as string,
      });
      setup.store.objects.set(key, bytes);
    }
  });

  test('fail where a file is cut, or longer than it was', async () => {
    const { setup, layout, digest } = await written({ ranks: 2 });
    const [{ key } = { key: '' }] = shardObjects(layout);
    const bytes = setup.store.objects.get(key) ?? Buffer.alloc(0);
    for (const wrong of [bytes.subarray(0, bytes.length - 1), Buffer.concat([bytes, Buffer.alloc(1)])]) {
      setup.store.objects.set(key, wrong);
      expect(await failure(setup.check(layout, known(digest)))).toMatchObject({ code: 'StoreUnavailable' });
    }
  });

  test('fail where the files of two ranks are swapped', async () => {
    const { setup, layout, digest } = await written({ ranks: 2 });
    const [a, b] = shardObjects(layout).map(({ key }) => key);
    const { objects } = setup.store;
    const [first, second] = [objects.get(a ?? ''), objects.get(b ?? '')];
    objects.set(a ?? '', second ?? Buffer.alloc(0)).set(b ?? '', first ?? Buffer.alloc(0));
    expect(await lateRefusal(setup.check(layout, known(digest)))).toMatchObject({ code: 'ShardMismatch' });
  });

  test('can be given up', async () => {
    const { setup, layout, digest } = await written({ ranks: 2 });
    const abort = new AbortController();
    const onChecked = () => {
      abort.abort(new Error('enough'));
    };
    const check = { context: setup.engine.context, layout, file: 0, sha256: known(digest) };
    const checking = checkSource(
      { ...check, sources: setup.sources(), shards: setup.shards(layout) },
      { signal: abort.signal, onChecked }
    );
    expect(await failure(checking)).toMatchObject({ message: 'enough' });
  });

  test('tell how far they are, up to the whole weights file', async () => {
    const { setup, layout, digest } = await written({ ranks: 2 });
    let checked = 0;
    const onChecked = (bytes: number) => {
      checked += bytes;
    };
    const check = { context: setup.engine.context, layout, file: 0, sha256: known(digest) };
    await checkSource({ ...check, sources: setup.sources(), shards: setup.shards(layout) }, { ...live(), onChecked });
    expect(checked).toBe(setup.files[0]?.size);
  });
});

describe('a source that is another one than the manifest says', () => {
  test('is told where the shards were made of it', async () => {
    const setup = await setUpShards('llama-untied');
    open.push(setup);
    flip(setup, SOURCE, 200_000);
    const layout = setup.layout({ ranks: 2 });
    await setup.write(layout);
    expect(await lateRefusal(setup.check(layout, setup.model.file_sha256))).toMatchObject({
      code: 'ObjectChanged',
      details: { path: 'model-1.safetensors', expected: setup.model.file_sha256 },
    });
  });

  test('is told where the shards are cast', async () => {
    const setup = await setUpShards('llama-fp32');
    open.push(setup);
    flip(setup, SOURCE, 200_000);
    const layout = setup.layout({ ranks: 2 });
    await setup.write(layout);
    expect((await lateRefusal(setup.check(layout, setup.model.file_sha256))).code).toBe('ObjectChanged');
  });

  test('is told where its header changed, of which no rank has a byte', async () => {
    const { setup, layout, digest } = await written({ ranks: 2 });
    flip(setup, SOURCE, 60);
    expect((await lateRefusal(setup.check(layout, digest))).code).toBe('ObjectChanged');
  });

  test('changes nothing for shards that are what it was', async () => {
    const { setup, layout, digest } = await written({ ranks: 2 });
    flip(setup, SOURCE, 200_000);
    expect(await setup.check(layout, digest)).toEqual([digest]);
    // Without a digest there is nothing but the source to compare with.
    expect((await lateRefusal(setup.check(layout))).code).toBe('ShardMismatch');
  });
});

describe('a head that equals the embedding', () => {
  test.each([undefined, 'by digest'])('is looked for under the one name that the ranks have (%s)', async (how) => {
    const { setup, layout, digest } = await written({ ranks: 2 }, 'llama-tied-head-equal');
    const sha256 = how === undefined ? undefined : digest;
    expect(await setup.check(layout, sha256)).toEqual([digest]);
    const head = layout.sources.get('lm_head.weight');
    flip(setup, SOURCE, (head?.start ?? 0) + 7);
    if (how === undefined) {
      expect(await lateRefusal(setup.check(layout))).toMatchObject({
        code: 'ShardMismatch',
        details: { tensor: 'lm_head.weight' },
      });
    }
  });
});

test('a header or a scalar that is not the planned one is told by its file', async () => {
  const checkpoint = randomCheckpoint({ ...llama, vocab_size: 64, hidden_size: 16, intermediate_size: 16 });
  const layout = planOf(checkpoint, { ranks: 2, maxFileSize: 4000 });
  const { shards, readers } = setUpCheck(checkpoint, layout);
  await checkFrames(layout, readers.shards, live());
  const looked = readers.shards.ranges.map(({ file, start, end }) => ({ file, start, end }));
  expect(looked.map(({ file }) => file)).toEqual(shards.map((_, index) => index));
  const scalars = layout.parts.map(({ tensors }) => tensors.filter(({ dtype }) => dtype === 'F32').length);
  expect(Math.max(...scalars)).toBeGreaterThan(0);
  expect(looked.map(({ start, end }) => [start, end])).toEqual(
    layout.parts.flatMap(({ headerBytes }, part) => {
      const frame = [0, headerBytes.length + 4 * (scalars[part] ?? 0)];
      return [frame, frame];
    })
  );
});
