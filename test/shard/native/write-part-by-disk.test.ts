import { mkdir, readdir, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { closeIdleSockets } from '../../../src/http/agents.js';
import { writePartByDisk } from '../../../src/shard/native/write-part-by-disk.js';
import type { PartOptions, WrittenFile } from '../../../src/shard/native/write-part.js';
import type { RankLayout } from '../../../src/shard/rank-layout.js';
import { OUT, setUpShards, type ShardSetup } from '../../helpers/shard-setup.js';
import { lateRefusal } from '../../helpers/refusal.js';
import { sha256Of } from '../../helpers/test-source.js';
import { tmpFolder } from '../../helpers/tmp.js';
import { failure, live } from '../../helpers/transfer-setup.js';
import { expectedFile } from './bytes-in-memory.js';

/** A store that takes no upload parts, and a folder of this host. */
async function setUp(name = 'llama-untied') {
  const setup = await setUpShards(name, { partSizeBytes: 16_384, memoryBytes: 400_000, multipart: false });
  const scratchFolder = await tmpFolder();
  onTestFinished(async () => {
    closeIdleSockets();
    expect(setup.engine.memory.inUseBytes).toBe(0);
    await setup.close();
  });
  const write = async (layout: RankLayout, options: Partial<PartOptions> = {}) => {
    const { engine, store } = setup;
    const writing = { engine, layout, sources: setup.sources(), store, dirKey: OUT, planId: 'layout', scratchFolder };
    const files: WrittenFile[] = [];
    for (const part of layout.parts) {
      files.push(...(await writePartByDisk(writing, part, { ...live(), onStored: () => undefined, ...options })));
    }
    return files;
  };
  return { setup, scratchFolder, write, left: () => readdir(scratchFolder) };
}

const shardsIn = ({ store }: ShardSetup) => [...store.objects.keys()].filter((key) => key.startsWith(OUT)).sort();
const putsOf = ({ store }: ShardSetup) => store.calls.filter((call) => /^(?:PUT|put) shards\//.test(call));

describe('a part for a store that takes no upload parts', () => {
  test.each([
    ['one rank', { ranks: 1 }],
    ['several ranks and parts', { ranks: 4, maxFileSize: 40_000 }],
    ['an empty part', { ranks: 2, maxFileSize: 1 }],
    ['elements that are cast', { ranks: 2, dtype: 'float16' }],
  ])('of %s is written with one request for each file, and nothing stays on the disk', async (_what, change) => {
    const { setup, write, left } = await setUp();
    const layout = setup.layout(change);
    let stored = 0;
    const onStored = (bytes: number) => {
      stored += bytes;
    };
    const files = await write(layout, { onStored });
    const weights = setup.files.map(({ key }) => setup.store.objects.get(key) ?? Buffer.alloc(0));
    for (const [index, { path, size, sha256, etag }] of files.entries()) {
      const rank = index % layout.ranks;
      const part = layout.parts[(index - rank) / layout.ranks];
      if (part === undefined) throw new Error(path);
      const bytes = setup.shard(path);
      expect(bytes.equals(expectedFile(layout, weights, { part, rank }))).toBe(true);
      expect({ sha256, size }).toEqual({ sha256: sha256Of(bytes).hex, size: bytes.length });
      expect(etag).toBe((await setup.store.head(`${OUT}${path}`))?.etag);
    }
    expect(files).toHaveLength(layout.ranks * layout.parts.length);
    expect(putsOf(setup)).toHaveLength(files.length);
    expect(stored).toBe(files.reduce((sum, { size }) => sum + size, 0));
    expect(setup.store.uploads.size).toBe(0);
    expect(await left()).toEqual([]);
  });

  test('finds the files again that an earlier attempt sent', async () => {
    const { setup, write, left } = await setUp();
    const layout = setup.layout({ ranks: 4 });
    let sent = 0;
    setup.store.faults.intercept = (_request, response, name) => {
      if (!name.startsWith('PUT shards/') || ++sent <= 2) return false;
      response.writeHead(500).end();
      return true;
    };
    expect(await failure(write(layout))).toMatchObject({ code: 'StoreUnavailable' });
    expect(shardsIn(setup).length).toBeGreaterThanOrEqual(1);
    expect(await left()).toEqual([]);
    delete setup.store.faults.intercept;
    const there = shardsIn(setup).length;
    setup.store.calls.length = 0;
    await write(layout);
    expect(putsOf(setup)).toHaveLength(4 - there);
    expect(shardsIn(setup)).toHaveLength(4);
  });

  test('replaces a file that is there and wrong', async () => {
    const { setup, write } = await setUp();
    const layout = setup.layout({ ranks: 2 });
    const [{ path, sha256 } = { path: '', sha256: '' }] = await write(layout);
    const bytes = Buffer.from(setup.shard(path));
    bytes.writeUInt8(bytes.readUInt8(5000) ^ 1, 5000);
    setup.store.objects.set(`${OUT}${path}`, bytes);
    await write(layout);
    expect(sha256Of(setup.shard(path)).hex).toBe(sha256);
  });

  test('that is given up leaves nothing on the disk, while it reads and while it sends', async () => {
    for (const at of ['GET source/', 'PUT shards/']) {
      const { setup, write, left } = await setUp();
      const abort = new AbortController();
      setup.store.faults.intercept = (_request, _response, name) => {
        if (!name.startsWith(at)) return false;
        abort.abort(new Error('enough'));
        return true;
      };
      expect(await failure(write(setup.layout({ ranks: 2 }), { signal: abort.signal }))).toMatchObject({
        message: 'enough',
      });
      expect(await left()).toEqual([]);
    }
  });

  test('whose source fails leaves nothing on the disk', async () => {
    const { setup, write, left } = await setUp();
    const layout = setup.layout({ ranks: 2 });
    setup.store.objects.delete('source/model-1.safetensors');
    expect(await failure(write(layout))).toMatchObject({ code: 'ObjectNotFound' });
    expect(await left()).toEqual([]);
  });
});

describe('local disk', () => {
  test('that is too small is told before anything is read, with what to do', async () => {
    const { setup, write, left, scratchFolder } = await setUp();
    const layout = setup.layout({ ranks: 2 });
    const { bavail, bsize } = await statfs(scratchFolder);
    const parts = layout.parts.map((part) => ({ ...part, size: 2 * bavail * bsize }));
    setup.store.calls.length = 0;
    const { code, message } = await lateRefusal(write({ ...layout, parts }));
    expect(code).toBe('DiskFull');
    expect(message).toMatch(/MODEL_PREFETCH_SCRATCH.*maxFileSize/);
    expect(message).toContain(scratchFolder);
    expect(setup.store.calls).toEqual([]);
    expect(await left()).toEqual([]);
  });

  test('is cleared of what killed processes left there long ago', async () => {
    const { setup, write, left, scratchFolder } = await setUp();
    const old = join(scratchFolder, 'shard-old-part-0');
    await mkdir(join(old, 'output-x'), { recursive: true });
    const longAgo = new Date(Date.now() - 7 * 60 * 60_000);
    await utimes(old, longAgo, longAgo);
    await write(setup.layout({ ranks: 1 }));
    expect(await left()).toEqual([]);
  });

  test('is used by several parts at once: none waits until another one is sent', async () => {
    const { setup, write } = await setUp();
    const layout = setup.layout({ ranks: 2, maxFileSize: 100_000 });
    const [first, ...others] = layout.parts;
    if (first === undefined) throw new Error('There is no part.');
    const abort = new AbortController();
    setup.store.faults.intercept = (_request, _response, name) => /^PUT shards\/.*part-0/.test(name);
    const hanging = failure(write({ ...layout, parts: [first] }, { signal: abort.signal }));
    await write({ ...layout, parts: others });
    abort.abort(new Error('enough'));
    expect(await hanging).toMatchObject({ message: 'enough' });
    delete setup.store.faults.intercept;
    await write({ ...layout, parts: [first] });
    const known = setup.model.file_sha256;
    expect(await setup.check(layout, known)).toEqual([known]);
  });
});
