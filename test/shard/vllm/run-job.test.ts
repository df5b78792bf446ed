import { access, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import type { VllmDependencies, VllmProgress, VllmShardRequest } from '../../../src/shard/vllm/job.js';
import { runVllmJob } from '../../../src/shard/vllm/run-job.js';
import { openStore, type ObjectStore } from '../../../src/storage/index.js';
import { sha256Of } from '../../helpers/test-source.js';
import { failure, live, setUpTransfers } from '../../helpers/transfer-setup.js';
import { tmpFolder } from '../../helpers/tmp.js';
import { fakeDriver } from './fake-driver.js';
import { shardArgs } from './shard-args.js';
import { fileOf, llamaRank, llamaSource, tensor } from './shard-files.js';

const setup = setUpTransfers();
afterEach(() => setup.end());

const dir: Readonly<Record<string, Uint8Array>> = {
  'config.json': Buffer.from('{"architectures":["LlamaForCausalLM"]}'),
  'model.safetensors': fileOf(llamaSource),
  'README.md': Buffer.from('# Model'),
  'pytorch_model.bin': Buffer.from('other weights'),
};
const shard = fileOf(llamaRank);

/** Code of a driver that writes these bytes for both ranks. */
const writing = (bytes: Uint8Array): string => `
  const shard = Buffer.from('${Buffer.from(bytes).toString('base64')}', 'base64');
  for (const rank of [0, 1]) {
    say({ event: 'progress', phase: 'load', rank, ranks: 2, bytes: 5 });
    writeFileSync(request.output + '/model-rank-' + rank + '-part-0.safetensors', shard);
  }`;
const good = `import('node:fs').then(({ unlinkSync }) => unlinkSync(request.output + '/driver-pid')); ${writing(shard)} await delay(20); say(done);`;

interface Prepared {
  readonly request: VllmShardRequest;
  readonly dependencies: VllmDependencies;
  readonly store: ObjectStore;
  readonly scratchFolder: string;
}

async function prepare(code: string, store?: ObjectStore): Promise<Prepared> {
  const target = store ?? (await openStore(pathToFileURL(`${await tmpFolder()}/`).href));
  const files = [];
  for (const [path, bytes] of Object.entries(dir)) {
    const { etag } = await target.put(`model/abc/${path}`, bytes);
    files.push({ path, size: bytes.length, etag, digest: sha256Of(bytes) });
  }
  const scratchFolder = join(await tmpFolder(), 'scratch');
  return {
    request: {
      planId: '0123456789abcdef',
      dirKey: 'model/abc.vllm-tp2/',
      source: { dirKey: 'model/abc/', files },
      args: shardArgs(),
    },
    dependencies: {
      store: target,
      engine: setup.engine(),
      scratchFolder,
      environment: { PATH: process.env['PATH'], HF_TOKEN: 'hf_secret' },
      graceMs: 500,
      ...(await fakeDriver(code)),
    },
    store: target,
    scratchFolder,
  };
}

/** A program that says this and nothing else. */
async function without(kind: string, message: string): Promise<string> {
  const program = join(await tmpFolder(), 'python');
  const line = JSON.stringify({ event: 'error', kind, message });
  await writeFile(program, `#!/bin/sh\necho '${line}'\n`, { mode: 0o755 });
  return program;
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list('model/abc.vllm-tp2/')) keys.push(key);
  return keys;
}

describe('sharding a Dir', () => {
  test.each([
    ['a local store', () => Promise.resolve(undefined)],
    ['a store over HTTP', () => setup.store()],
  ])('of %s brings the shards of every rank into the store, and leaves nothing on the disk', async (_what, open) => {
    const { request, dependencies, store, scratchFolder } = await prepare(good, await open());
    const phases: VllmProgress['phase'][] = [];
    const result = await runVllmJob(request, dependencies, {
      ...live(),
      onProgress: ({ phase }) => phases.push(phase),
    });
    const { hex: sha256 } = sha256Of(shard);
    const expected = await Promise.all(
      [0, 1].map(async (rank) => {
        const path = `model-rank-${rank}-part-0.safetensors`;
        const etag = (await store.head(`${request.dirKey}${path}`))?.etag;
        return { path, size: shard.length, sha256, etag };
      })
    );
    expect(result).toEqual({ vllmVersion: '0.32.0', device: 'cpu', dtype: 'bfloat16', untied: false, files: expected });
    expect(await keysOf(store)).toEqual(expected.map(({ path }) => `${request.dirKey}${path}`));
    expect([...new Set(phases)]).toEqual(['materialise', 'load', 'check', 'upload']);
    expect(await readdir(scratchFolder)).toEqual([]);
  });

  test.each([
    ['no such Python', () => Promise.resolve('/absent/python'), 'VllmUnavailable', '/absent/python cannot be started'],
    ['a Python without vLLM', () => without(`vllm-missing`, 'has no vllm'), 'VllmUnavailable', 'has no vllm'],
    ['another vLLM', () => without('version', '0.20.0 is installed'), 'VllmVersionMismatch', '--vllm-version'],
  ])('on a host with %s fails for good before a byte is fetched', async (_what, pythonOf, code, words) => {
    const { request, dependencies, scratchFolder } = await prepare(good);
    const phases: VllmProgress['phase'][] = [];
    const python = await pythonOf();
    const onProgress = ({ phase }: VllmProgress) => phases.push(phase);
    const error = await failure(runVllmJob(request, { ...dependencies, python }, { ...live(), onProgress }));
    expect(error).toMatchObject({ code, permanent: true });
    expect(String(error)).toContain(words);
    expect(phases).toEqual([]);
    expect(await readdir(scratchFolder)).toEqual([]);
  });

  test('gives vLLM the files that it loads and no others, a folder for the shards, and no secret', async () => {
    const { request, dependencies, scratchFolder } = await prepare(`
      const { readdirSync } = await import('node:fs');
      const seen = { given: readdirSync(request.model).sort(), empty: readdirSync(request.output), env: Object.keys(process.env), request,
        homes: [process.env.HOME, process.env.HF_HOME], home: readdirSync(process.env.HOME) };
      say({ event: 'error', kind: 'model', message: JSON.stringify(seen) });
      await forever();`);
    const args = shardArgs({ dtype: 'auto', maxModelLen: 100, trustRemoteCode: true, device: 'cpu', maxFileSize: 77 });
    const error = await failure(runVllmJob({ ...request, args, dtype: 'float16' }, dependencies, live()));
    const seen = JSON.parse(/\{.*\}/s.exec(String(error))?.[0] ?? '') as Record<string, unknown>;
    expect(seen['given']).toEqual(['config.json', 'model.safetensors']);
    expect(seen['empty']).toEqual(['driver-pid']);
    expect((seen['env'] as string[]).sort()).toEqual(['HF_HOME', 'HOME', 'PATH', 'PYTHONUSERBASE']);
    const home = join(scratchFolder, 'shard-0123456789abcdef', 'home');
    expect(seen).toMatchObject({ homes: [home, join(home, 'hub')], home: [] });
    expect(seen['request']).toMatchObject({
      tensor_parallel_size: 2,
      dtype: 'float16',
      max_model_len: 100,
      trust_remote_code: true,
      device: 'cpu',
      max_file_size: 77,
      vllm_version: '0.32.0',
    });
  });

  test('says so when the weights untie embeddings that the config ties', async () => {
    const both = fileOf([...llamaRank, tensor('model.embed_tokens.weight', [64, 16])]);
    const untied = good
      .replace(writing(shard), writing(both))
      .replace('say(done)', 'say({ ...done, untied_by_checkpoint: true })');
    const { request, dependencies } = await prepare(untied);
    expect((await runVllmJob(request, dependencies, live())).untied).toBe(true);
  });

  test('again finds what is in the store, and sends nothing twice', async () => {
    const store = await setup.store();
    const { request, dependencies } = await prepare(good, store);
    const first = await runVllmJob(request, dependencies, live());
    store.calls.length = 0;
    expect(await runVllmJob(request, dependencies, live())).toEqual(first);
    expect(store.calls.filter((call) => /^(?:put|PUT)/.test(call))).toEqual([]);
  });

  test('twice at once does the one after the other', async () => {
    const { request, dependencies } = await prepare(good);
    const both = await Promise.all([0, 1].map(() => runVllmJob(request, dependencies, live())));
    expect(both[0]?.files.map(({ sha256 }) => sha256)).toEqual(both[1]?.files.map(({ sha256 }) => sha256));
  });
});

describe('when it fails', () => {
  const leavesNothing = async ({ store, scratchFolder }: Prepared) => {
    expect(await keysOf(store)).toEqual([]);
    expect(await readdir(scratchFolder)).toEqual([]);
  };

  test('because the driver does, nothing is uploaded and nothing stays', async () => {
    const prepared = await prepare(`${writing(shard)} process.exit(1);`);
    const error = await failure(runVllmJob(prepared.request, prepared.dependencies, live()));
    expect(error).toMatchObject({ code: 'VllmFailed' });
    await leavesNothing(prepared);
  });

  test('because shards are missing though the driver says that it is done, nothing is uploaded', async () => {
    const dropped = fileOf(llamaRank.filter(({ name }) => !/_proj/.test(name)));
    const prepared = await prepare(good.replace(writing(shard), writing(dropped)));
    const error = await failure(runVllmJob(prepared.request, prepared.dependencies, live()));
    expect(error).toMatchObject({ code: 'ShardsIncomplete' });
    await leavesNothing(prepared);
  });

  test('because it is cancelled while vLLM works, nothing stays', async () => {
    const prepared = await prepare(
      `say({ event: 'progress', phase: 'load', rank: 0, ranks: 2, bytes: 0 }); await forever();`
    );
    const abort = new AbortController();
    const onProgress = ({ phase }: VllmProgress) => {
      if (phase === 'load') abort.abort(new Error('cancelled'));
    };
    const run = runVllmJob(prepared.request, prepared.dependencies, { signal: abort.signal, onProgress });
    await expect(run).rejects.toThrow('cancelled');
    await leavesNothing(prepared);
  });

  test('for want of resources, nothing is fetched or started', async () => {
    const store = await setup.store();
    const prepared = await prepare(good, store);
    store.calls.length = 0;
    const request = { ...prepared.request, resources: { memory: '1000Ti' } };
    const error = await failure(runVllmJob(request, prepared.dependencies, live()));
    expect(error).toMatchObject({ code: 'InsufficientResources' });
    expect(store.calls).toEqual([]);
    await leavesNothing(prepared);
  });

  test.each([['a Dir without weights', { source: { dirKey: 'model/abc/', files: [] } }, 'UnsupportedSharding']])(
    'over %s, not even a folder is made',
    async (_what, change, code) => {
      const prepared = await prepare(good);
      const error = await failure(runVllmJob({ ...prepared.request, ...change }, prepared.dependencies, live()));
      expect(error).toMatchObject({ code });
      await expect(access(prepared.scratchFolder)).rejects.toThrow('ENOENT');
    }
  );
});
