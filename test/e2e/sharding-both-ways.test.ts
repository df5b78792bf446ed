import { stat } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../../src/cli/run-cli.js';
import type { Dir, Manifest } from '../../src/core/contract.js';
import { openStore } from '../../src/storage/index.js';
import { onBothStores } from '../helpers/both-stores.js';
import { contentOf, expectAsListed } from '../helpers/dir-content.js';
import { startPlatform, type Platform } from '../helpers/platform.js';
import { formulaCommit } from '../helpers/shard-repos.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { storedFiles } from '../helpers/tmp.js';

const MANY_PARTS = { name: 'many-parts', maxFileSize: 40_000, shards: 10, untied: undefined };
const OWN_HEAD = { name: 'own-head', maxFileSize: 5 * 1024 ** 3, shards: 2, untied: true };

const server = useTemporalServer();

/** The workflow and `model-prefetch shard` tell one story, each in its own words: this holds both to one end. */
onBothStores((store) => {
  let platform: Platform;

  beforeAll(async () => {
    platform = await startPlatform(server(), {
      settings: { store: store().root },
      repos: [
        { id: `org/${MANY_PARTS.name}`, commits: [await formulaCommit('llama-untied', { split: 2 })] },
        { id: `org/${OWN_HEAD.name}`, commits: [await formulaCommit('llama-tied-head-different')] },
      ],
    });
  });

  afterAll(() => platform.stop());

  describe.each([
    ['of two weights files, in several parts a rank', MANY_PARTS],
    ['whose config has to change, for its output head is not the embedding', OWN_HEAD],
  ])('a model %s', (_what, { name, maxFileSize, shards, untied }) => {
    let unsharded: Dir;
    let byWorkflow: Dir;

    beforeAll(async () => {
      byWorkflow = await workflow();
      unsharded = await platform.prefetch({ repo: `org/${name}` });
    });

    test('gets the same objects, byte for byte, and the same manifest, by a workflow and in one process', async () => {
      const inProcess = await shard(`${store().root}${name}-by-hand/`);
      expect(inProcess.hit).toBe(false);
      const [ours, theirs] = [await contentOf(inProcess.dir), await contentOf(byWorkflow)];
      expect(ours.digests).toEqual(theirs.digests);
      expectAsListed(ours);
      expect(withoutItsOwn(ours.manifest)).toEqual(withoutItsOwn(theirs.manifest));
      const { path, manifestPath, manifestDigest } = inProcess.dir;
      expect(inProcess.dir).toEqual({ ...byWorkflow, path, manifestPath, manifestDigest });
      // What two empty Dirs would have in common is not meant.
      expect([...ours.digests.keys()].filter((key) => key.endsWith('.safetensors'))).toHaveLength(shards);
      expect(ours.manifest.sharding?.untied).toBe(untied);
    });

    test('is a hit in one process where the workflow sharded it, and nothing is written', async () => {
      const before = await writtenAt();
      expect(await shard(byWorkflow.path)).toEqual({ dir: byWorkflow, hit: true });
      expect(await writtenAt()).toEqual(before);
    });

    test('is a hit of the workflow where one process sharded it, and nothing is written, nor brought again', async () => {
      await empty(byWorkflow);
      const inProcess = await shard(byWorkflow.path);
      expect(inProcess.hit).toBe(false);
      // Else the run would find the shards as well when it plans them anew.
      await empty(unsharded);
      const before = await writtenAt();
      expect(await workflow()).toEqual(inProcess.dir);
      expect(await writtenAt()).toEqual(before);
    });

    function workflow(): Promise<Dir> {
      return platform.prefetch({
        repo: `org/${name}`,
        shardConfig: { engine: 'auto', args: { tensorParallelSize: 2, maxFileSize } },
      });
    }

    /** `model-prefetch shard` of the unsharded Dir, in this process. */
    async function shard(to: string): Promise<{ readonly dir: Dir; readonly hit: boolean }> {
      const [stdout, stderr] = [new PassThrough(), new PassThrough()];
      const flags = ['--tensor-parallel-size', '2', '--max-file-size', String(maxFileSize)];
      const code = await runCli(['shard', unsharded.path, '--to', to, ...flags], { stdout, stderr });
      const [json, lines] = await Promise.all([stdout, stderr].map((stream) => text(stream.end())));
      expect(code, lines).toBe(0);
      return { dir: JSON.parse(json ?? '') as Dir, hit: lines?.includes('Published before') === true };
    }
  });

  /** When each file of the whole store was written, by its path. */
  async function writtenAt(): Promise<ReadonlyMap<string, bigint>> {
    const paths = await storedFiles(store().onDisk({ path: store().root }, ''));
    expect(paths).not.toEqual([]);
    const times = paths.map(async (path) => [path, (await stat(path, { bigint: true })).mtimeNs] as const);
    return new Map(await Promise.all(times));
  }
});

/** A manifest with fixed values in place of those that are others each time that the same Dir is made. */
function withoutItsOwn(manifest: Manifest): Manifest {
  const { sharding, files } = manifest;
  return {
    ...manifest,
    createdAt: 'then',
    // The store's own names of the objects. The checkpoint's objects are the same ones for both.
    files: files.map((file) => ({ ...file, etag: 'an etag' })),
    ...(sharding === undefined
      ? {}
      : {
          // Its digest covers where the checkpoint is read from: for a run a key under the root of its store, for `shard`
          // the root of one. So neither goes on with what the other began, but takes what the other published.
          sharding: { ...sharding, planId: 'a plan' },
        }),
  };
}

async function empty({ path }: Dir): Promise<void> {
  const store = await openStore(path);
  const keys: string[] = [];
  for await (const { key } of store.list('')) keys.push(key);
  await store.deleteMany(keys);
  await store.close();
}
