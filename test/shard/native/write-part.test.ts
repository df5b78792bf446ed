import { afterEach, describe, expect, test } from 'vitest';
import { closeIdleSockets } from '../../../src/http/agents.js';
import type { ByteSource } from '../../../src/core/byte-source.js';
import { writePart, type PartOptions, type WrittenFile } from '../../../src/shard/native/write-part.js';
import type { RankLayout } from '../../../src/shard/rank-layout.js';
import { createEngine, type TransferEngine } from '../../../src/transfer/engine.js';
import { counted, OUT, setUpShards, type ShardSetup } from '../../helpers/shard-setup.js';
import { sha256Of } from '../../helpers/test-source.js';
import { failure, live, quickPolicies } from '../../helpers/transfer-setup.js';
import { llama } from '../layout/configs.js';
import { expectedFile, planOf, randomCheckpoint, readerOf } from './bytes-in-memory.js';
import { MiB } from '../../../src/core/units.js';

const sizes = { partSizeBytes: 16_384, memoryBytes: 400_000 };
const open: ShardSetup[] = [];

afterEach(async () => {
  closeIdleSockets();
  for (const setup of open.splice(0)) {
    expect(setup.engine.memory.inUseBytes).toBe(0);
    await setup.close();
  }
});

async function setUp(change: Parameters<typeof setUpShards>[1] = {}, name = 'llama-untied'): Promise<ShardSetup> {
  const setup = await setUpShards(name, { ...sizes, ...change });
  open.push(setup);
  return setup;
}

/** Writes all parts of a layout one after the other, as a process that goes on with what it finds. */
async function write(
  setup: ShardSetup,
  layout: RankLayout,
  change: Partial<PartOptions> & {
    readonly resume?: boolean;
    readonly engine?: TransferEngine;
    readonly sources?: readonly ByteSource[];
  } = {}
): Promise<WrittenFile[]> {
  const { resume = true, engine = setup.engine, sources = setup.sources(), ...options } = change;
  const writing = { context: engine.context, layout, sources, store: setup.store, dirKey: OUT, resume };
  const files: WrittenFile[] = [];
  for (const part of layout.parts) {
    files.push(...(await writePart(writing, part, { ...live(), onStored: () => undefined, ...options })));
  }
  return files;
}

/** Fails unless each file is there, is right to the last byte, and is what the writer said. */
async function expectWritten(setup: ShardSetup, layout: RankLayout, files: readonly WrittenFile[]): Promise<void> {
  const weights = setup.files.map(({ key }) => setup.store.objects.get(key) ?? Buffer.alloc(0));
  expect(files).toHaveLength(layout.ranks * layout.parts.length);
  for (const [index, { path, size, sha256, etag }] of files.entries()) {
    const rank = index % layout.ranks;
    const part = layout.parts[(index - rank) / layout.ranks];
    if (part === undefined) throw new Error(path);
    const bytes = setup.shard(path);
    expect(bytes.equals(expectedFile(layout, weights, { part, rank }))).toBe(true);
    expect({ sha256, size }).toEqual({ sha256: sha256Of(bytes).hex, size: bytes.length });
    expect(etag).toBe((await setup.store.head(`${OUT}${path}`))?.etag);
  }
}

const shardsIn = ({ store }: ShardSetup) => [...store.objects.keys()].filter((key) => key.startsWith(OUT));
const puts = ({ store }: ShardSetup) => store.calls.filter((call) => call.startsWith('PUT part')).length;
const partsOf = (layout: RankLayout) =>
  layout.parts.reduce((sum, { size }) => sum + layout.ranks * Math.ceil(size / sizes.partSizeBytes), 0);

const sourceBytes = ({ sources }: RankLayout) =>
  [...sources.values()].reduce((sum, { start, end }) => sum + end - start, 0);

/** Begins to write and gives up at the n-th upload part, which never arrives. */
async function cut(setup: ShardSetup, layout: RankLayout, at: number): Promise<void> {
  const abort = new AbortController();
  let count = 0;
  setup.store.faults.intercept = (_request, _response, name) => {
    if (!name.startsWith('PUT part') || ++count < at) return false;
    abort.abort(new Error('cut'));
    return true;
  };
  expect(await failure(write(setup, layout, { signal: abort.signal }))).toMatchObject({ message: 'cut' });
  expect(shardsIn(setup)).toEqual([]);
  delete setup.store.faults.intercept;
}

describe('a part', () => {
  test.each([
    ['one rank', { ranks: 1 }],
    ['several ranks', { ranks: 4 }],
    ['several parts', { ranks: 2, maxFileSize: 40_000 }],
    ['an empty part', { ranks: 2, maxFileSize: 1 }],
    ['elements that are cast', { ranks: 2, dtype: 'float16' }],
  ])('of %s is written, and each byte of the source is read once', async (_what, change) => {
    for (const split of [1, 3]) {
      const setup = await setUp({ split });
      const layout = setup.layout(change);
      const { sources, bytesRead } = counted(setup.sources());
      let stored = 0;
      const onStored = (bytes: number) => {
        stored += bytes;
      };
      const files = await write(setup, layout, { sources, onStored });
      await expectWritten(setup, layout, files);
      expect(bytesRead()).toBe(sourceBytes(layout));
      expect(stored).toBe(files.reduce((sum, { size }) => sum + size, 0));
      expect(setup.store.uploads.size).toBe(0);
    }
  });

  test('is taken up by the upload parts that are missing, wherever it was cut', async () => {
    for (const cutAt of [1, 2, 5, 9, 16]) {
      const setup = await setUp();
      const layout = setup.layout({ ranks: 2 });
      await cut(setup, layout, cutAt);
      const stored: number[] = [];
      const engine = createEngine({ ...sizes, lanes: 4, policies: quickPolicies });
      const files = await write(setup, layout, { engine, onStored: (bytes) => stored.push(bytes) });
      // First it tells what each rank's upload holds; the last lanes before the cut may not have arrived.
      const held = stored.splice(0, 2).reduce((sum, bytes) => sum + bytes / sizes.partSizeBytes, 0);
      expect(held).toBeGreaterThanOrEqual(cutAt - 4);
      expect(stored).toHaveLength(partsOf(layout) - held);
      await expectWritten(setup, layout, files);
    }
  });

  test('is gone on with by a worker that has other lanes', async () => {
    // Large enough that the memory decides how large its upload parts are.
    const little = { num_key_value_heads: 2, hidden_size: 32, intermediate_size: 48 };
    const checkpoint = randomCheckpoint({ ...llama, ...little, vocab_size: 65_536 });
    const layout = planOf(checkpoint, { ranks: 2 });
    const setup = await setUp();
    const writeWith = async (lanes: number, signal: AbortSignal) => {
      const engine = createEngine({ partSizeBytes: MiB, memoryBytes: 3 * MiB, lanes, policies: quickPolicies });
      const { context } = engine;
      const sources = readerOf(checkpoint.weights);
      const writing = { context, layout, sources, store: setup.store, dirKey: OUT, resume: true };
      const [part] = layout.parts;
      if (part === undefined) throw new Error('There is no part.');
      return writePart(writing, part, { signal, onStored: () => undefined });
    };
    const abort = new AbortController();
    let sent = 0;
    setup.store.faults.intercept = (_request, _response, name) => {
      if (!name.startsWith('PUT part') || ++sent < 6) return false;
      abort.abort(new Error('cut'));
      return true;
    };
    expect(await failure(writeWith(4, abort.signal))).toMatchObject({ message: 'cut' });
    delete setup.store.faults.intercept;
    const uploads = [...setup.store.uploads.values()].map(({ parts }) => parts.size);
    const before = puts(setup);
    expect(await writeWith(1, live().signal)).toHaveLength(2);
    expect(uploads.every((held) => held > 0)).toBe(true);
    const [{ size } = { size: 0 }] = layout.parts;
    const parts = 2 * Math.ceil(size / ((3 * MiB * 3) / 4 / 4));
    expect(puts(setup) - before).toBe(parts - uploads.reduce((sum, held) => sum + held, 0));
    expect(setup.store.uploads.size).toBe(0);
  });

  test('of which all bytes are in the store is made visible, and nothing is read for it', async () => {
    const setup = await setUp();
    const layout = setup.layout({ ranks: 2 });
    setup.store.faults.completing = () => {
      throw new Error('died');
    };
    await failure(write(setup, layout));
    delete setup.store.faults.completing;
    const { sources, bytesRead } = counted(setup.sources());
    await expectWritten(setup, layout, await write(setup, layout, { sources }));
    expect(bytesRead()).toBe(0);
  });

  test('of which some ranks were visible already is written for these ranks again', async () => {
    const setup = await setUp();
    const layout = setup.layout({ ranks: 4 });
    let completed = 0;
    setup.store.faults.completing = (complete) => {
      if (++completed > 2) throw new Error('died');
      complete();
    };
    await failure(write(setup, layout));
    expect(shardsIn(setup)).toHaveLength(2);
    delete setup.store.faults.completing;
    setup.store.calls.length = 0;
    const files = await write(setup, layout);
    expect(puts(setup)).toBe(partsOf(layout) / 2);
    await expectWritten(setup, layout, files);
  });

  test('starts over where nobody may go on', async () => {
    const setup = await setUp();
    const layout = setup.layout({ ranks: 2 });
    // Lanes are four, so that by then both ranks have parts in the store.
    await cut(setup, layout, 9);
    const stored: number[] = [];
    const files = await write(setup, layout, { resume: false, onStored: (bytes) => stored.push(bytes) });
    expect(stored.filter((bytes) => bytes > 0)).toHaveLength(partsOf(layout));
    await expectWritten(setup, layout, files);
  });

  test('starts over in a store that cannot tell whether something is in the place of unread parts', async () => {
    const setup = await setUp();
    const layout = setup.layout({ ranks: 2 });
    await cut(setup, layout, 9);
    const able = await setup.store.capabilities();
    setup.store.capabilities = () => Promise.resolve({ ...able, conditionalComplete: false });
    const stored: number[] = [];
    const files = await write(setup, layout, { onStored: (bytes) => stored.push(bytes) });
    expect(stored.filter((bytes) => bytes > 0)).toHaveLength(partsOf(layout));
    await expectWritten(setup, layout, files);
  });

  test('leaves upload parts of another size alone, as another amount of memory makes them', async () => {
    const setup = await setUp();
    const layout = setup.layout({ ranks: 2 });
    // Lanes are four, so that by then both ranks have parts in the store.
    await cut(setup, layout, 9);
    const engine = createEngine({ partSizeBytes: 8_192, memoryBytes: 400_000, lanes: 4, policies: quickPolicies });
    const left = [...setup.store.uploads.keys()];
    const files = await write(setup, layout, { engine });
    await expectWritten(setup, layout, files);
    expect([...setup.store.uploads.keys()]).toEqual(left);
  });
});

describe('a failure', () => {
  test('to send one part ends everything, and leaves nothing visible', async () => {
    const setup = await setUp();
    const layout = setup.layout({ ranks: 4 });
    let asked = 0;
    setup.store.faults.intercept = (_request, response, name) => {
      if (name !== 'PUT part 3') return false;
      asked++;
      response.writeHead(500).end();
      return true;
    };
    expect(await failure(write(setup, layout))).toMatchObject({ code: 'StoreUnavailable', details: { status: 500 } });
    expect(asked).toBeGreaterThanOrEqual(quickPolicies.put.tries);
    expect(shardsIn(setup)).toEqual([]);
    const { getLanes, putLanes, memory, shardTurn } = setup.engine.context;
    expect([getLanes.inUse, putLanes.inUse, memory.inUseBytes, shardTurn.inUse]).toEqual([0, 0, 0, 0]);
    delete setup.store.faults.intercept;
    await expectWritten(setup, layout, await write(setup, layout));
  });

  test.each([
    [
      'answers 500',
      (response: { writeHead(status: number): { end(): void } }) => {
        response.writeHead(500).end();
      },
    ],
    [
      'cuts the connection',
      (response: { destroy(): void }) => {
        response.destroy();
      },
    ],
  ])('of a source that %s once is made good, and one that goes on is told', async (_what, fail) => {
    for (const times of [1, Infinity]) {
      const setup = await setUp();
      const layout = setup.layout({ ranks: 2 });
      let failures = 0;
      setup.store.faults.intercept = (_request, response, name) => {
        if (!name.startsWith('GET source/') || ++failures > times) return false;
        fail(response);
        return true;
      };
      const writing = write(setup, layout);
      if (times === 1) await expectWritten(setup, layout, await writing);
      else {
        expect(await failure(writing)).toMatchObject({
          code: 'StoreUnavailable',
          message: expect.stringContaining('source/model-1.safetensors') as string,
        });
        expect(shardsIn(setup)).toEqual([]);
      }
    }
  });

  test.each([
    ['is shorter than it was', 'StoreUnavailable', (bytes: Buffer) => bytes.subarray(0, bytes.length - 2)],
    ['is longer than it was', 'StoreUnavailable', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(2)])],
    ['is gone', 'ObjectNotFound', () => undefined],
  ])('of a source that %s ends everything', async (_what, code, change) => {
    const setup = await setUp();
    const { objects } = setup.store;
    const [key, bytes] = [...objects].find(([each]) => each.startsWith('source/')) ?? ['', Buffer.alloc(0)];
    const changed = change(bytes);
    if (changed === undefined) objects.delete(key);
    else objects.set(key, changed);
    expect(await failure(write(setup, setup.layout({ ranks: 2 })))).toMatchObject({ code });
    expect(shardsIn(setup)).toEqual([]);
  });
});
