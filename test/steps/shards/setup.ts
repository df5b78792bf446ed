import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { ActivityDependencies } from '../../../src/steps/dependencies.js';
import { checkShards } from '../../../src/steps/shards/check-shards.js';
import { copyModelFiles } from '../../../src/steps/shards/copy-model-files.js';
import { jobOfFolders } from '../../../src/steps/shards/local-job.js';
import { planShards } from '../../../src/steps/shards/plan-shards.js';
import { publishShards } from '../../../src/steps/shards/publish-shards.js';
import { shardInProcess } from '../../../src/steps/shards/shard-in-process.js';
import { shardNatively } from '../../../src/steps/shards/shard-natively.js';
import type { ShardingJob } from '../../../src/steps/shards/sharding-job.js';
import type { Dir, Manifest, ShardPlanSummary, ShardStep, ShardStepResult } from '../../../src/core/contract.js';
import { manifestKey } from '../../../src/core/keys.js';
import { shardConfigSchema, type ParsedShardConfig, type ShardConfig } from '../../../src/core/schemas/input.js';
import { manifestSchema } from '../../../src/core/schemas/manifest.js';
import type { ObjectStore } from '../../../src/storage/object-store.js';
import { openStore } from '../../../src/storage/open-store.js';
import { createEngine } from '../../../src/transfer/engine.js';
import { sha256 } from '../../helpers/dir-content.js';
import { writeFormulaModel, type FormulaModel } from '../../helpers/formula-models.js';
import { formulaCommit } from '../../helpers/shard-repos.js';
import { tmpFolder } from '../../helpers/tmp.js';
import { live, quickPolicies } from '../../helpers/transfer-setup.js';
import { watched, type Moments } from './watched-store.js';

/** A checkpoint in a folder, a folder for its shards, and what the steps need. */
export interface JobSetup {
  readonly model: FormulaModel;
  /** The folder with the checkpoint, and the one that the shards are asked for in. */
  readonly source: string;
  readonly target: string;
  readonly store: ObjectStore;
  /** What the store of the shards is asked for. */
  readonly moments: Moments;
  readonly dependencies: ActivityDependencies;
  job(change?: JobChange): Promise<ShardingJob>;
  plan(change?: JobChange): Promise<{ readonly summary: ShardPlanSummary; readonly step: ShardStep }>;
  run(change?: JobChange & { readonly signal?: AbortSignal }): Promise<{ readonly dir: Dir; readonly hit: boolean }>;
  /** Steps of a run by themselves. */
  copy(step: ShardStep): Promise<ShardStepResult>;
  write(step: ShardStep, part?: number): Promise<ShardStepResult>;
  check(step: ShardStep, file?: number): Promise<ShardStepResult>;
  publish(step: ShardStep): Promise<Dir>;
  manifest(): Promise<Manifest>;
}

export interface JobChange {
  readonly engine?: ShardConfig['engine'];
  readonly args?: Partial<ShardConfig['args']>;
  readonly force?: number;
  readonly store?: ObjectStore;
  readonly folder?: string;
}

const FOLDER = 'shards';
const root = (folder: string) => `${pathToFileURL(folder).href}/`;

/** Other `stores` take the place of those that a root would open; an engine has little memory, and parts are small. */
export async function setUpJob(
  name = 'llama-untied',
  {
    stores = [],
    partSizeBytes = 16_384,
  }: { readonly stores?: readonly ObjectStore[]; readonly partSizeBytes?: number } = {}
): Promise<JobSetup> {
  const folder = await tmpFolder();
  const source = join(folder, 'my.model');
  const model = await writeFormulaModel(source, name);
  await writeFile(join(source, 'tokenizer.json'), '{"version":"1.0"}');
  const opened = new Map<string, Promise<ObjectStore>>(stores.map((store) => [store.root, Promise.resolve(store)]));
  const open = (url: string) => {
    const store = opened.get(url) ?? openStore(url);
    opened.set(url, store);
    return store;
  };
  const moments: Moments = { calls: [] };
  const store = watched(await openStore(root(folder)), moments);
  opened.set(store.root, Promise.resolve(store));
  const dependencies = dependenciesOf({ openStore: open, partSizeBytes, scratchFolder: join(folder, 'scratch') });
  const setup: JobSetup = {
    model,
    source,
    target: join(folder, FOLDER),
    store,
    moments,
    dependencies,
    job: async ({ force, store: into = store, folder: name = FOLDER, ...request } = {}) =>
      jobOfFolders(
        {
          source: await open(root(source)),
          target: { store: into, folder: name },
          request: requestOf(request),
          ...(force === undefined ? {} : { force }),
        },
        live()
      ),
    plan: async (change = {}) => {
      const job = await setup.job(change);
      const outcome = await planShards(dependencies, job, live());
      if (outcome.kind === 'hit') throw new Error('A hit, where a plan was expected.');
      const { dirKey, planId } = outcome.plan;
      return { summary: outcome.plan, step: { destination: job.target.store.root, dirKey, planId } };
    },
    run: async ({ signal = live().signal, ...change } = {}) =>
      shardInProcess(dependencies, await setup.job(change), { signal, onMoment: () => undefined }),
    copy: (step) => copyModelFiles(dependencies, step, { ...live(), onProgress: () => undefined }),
    write: (step, number = 0) =>
      shardNatively(dependencies, { ...step, number }, { ...live(), onProgress: () => undefined }),
    check: (step, number = 0) =>
      checkShards(dependencies, { ...step, number }, { ...live(), onProgress: () => undefined }),
    publish: (step) => publishShards(dependencies, step, { ...live(), revision: 'local', now: new Date() }),
    manifest: async () =>
      manifestSchema.parse(JSON.parse(await readFile(join(setup.target, '.prefetch/manifest.json'), 'utf8'))),
  };
  return setup;
}

export function requestOf({
  engine = 'native',
  args = {},
}: Pick<JobChange, 'engine' | 'args'> = {}): ParsedShardConfig {
  return shardConfigSchema.parse({ engine, args: { tensorParallelSize: 2, ...args } });
}

function dependenciesOf({
  openStore: open,
  partSizeBytes,
  scratchFolder,
}: Pick<ActivityDependencies, 'openStore' | 'scratchFolder'> & {
  readonly partSizeBytes: number;
}): ActivityDependencies {
  const notAsked = () => Promise.reject(new Error('The Hub is not asked.'));
  return {
    hub: {
      endpoint: 'http://127.0.0.1',
      whoAmI: notAsked,
      resolveRevision: notAsked,
      checkAccess: notAsked,
      listFiles: () => {
        throw new Error('The Hub is not asked.');
      },
      describe: notAsked,
      locate: notAsked,
      read: notAsked,
    },
    openStore: open,
    engine: createEngine({ partSizeBytes, lanes: 4, memoryBytes: 400_000, policies: quickPolicies }),
    readToken: () => Promise.resolve(undefined),
    destinations: { store: undefined, allowedRoots: [], anywhere: true, files: true },
    transferMode: 'stream',
    scratchFolder,
    vllm: { python: 'python3', environment: {} },
    tool: { name: 'test', version: '0' },
  };
}

/** Makes a folder a published Dir: a manifest of all files that are there. */
export async function publishAsDir(folder: string): Promise<void> {
  const store = await openStore(root(folder));
  const files: Manifest['files'] = [];
  for await (const { key, size, etag } of store.list('')) {
    files.push({ path: key, size, etag, sha256: sha256(await readFile(join(folder, key))) });
  }
  const manifest: Manifest = {
    version: 1,
    repo: 'org/model',
    revision: 'main',
    commit: 'c'.repeat(40),
    artifactName: 'model',
    format: 'huggingface',
    selection: { kind: 'all', include: [], exclude: [] },
    tool: { name: 'test', version: '0' },
    createdAt: new Date().toISOString(),
    fileCount: files.length,
    totalBytes: files.reduce((sum, { size }) => sum + size, 0),
    files,
  };
  await store.put(manifestKey(''), Buffer.from(JSON.stringify(manifest)));
}

/** All files of a folder by their path, without those of the store. */
export async function filesIn(folder: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const found = paths.map((path) => path.slice(folder.length + 1)).filter((path) => !path.startsWith('.'));
  return new Map(
    await Promise.all(found.sort().map(async (path) => [path, await readFile(join(folder, path))] as const))
  );
}

/** Writes a file, and the folders above it. */
export async function putFile(folder: string, path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

/** Changes one bit of a file, counted from its end where `at` is negative, as a bad disk does it: the etag stays. */
export async function flipBit(path: string, at: number): Promise<void> {
  const times = join(await tmpFolder(), 'times');
  await writeFile(times, '');
  const bytes = await readFile(path);
  const position = at < 0 ? bytes.length + at : at;
  bytes.writeUInt8(bytes.readUInt8(position) ^ 1, position);
  // Times in JavaScript are coarser than those of a file.
  const copyTimes = (from: string, to: string) => promisify(execFile)('touch', ['-r', from, to]);
  await copyTimes(path, times);
  await writeFile(path, bytes);
  await copyTimes(times, path);
}

/** The folder with the checkpoint holds this one instead, of several weights files with an index. */
export async function splitCheckpoint({ source }: JobSetup, name = 'llama-untied'): Promise<void> {
  const { files } = await formulaCommit(name, { split: 2 });
  await rm(source, { recursive: true });
  for (const [path, file] of Object.entries(files)) {
    if ('bytes' in file) await putFile(source, path, file.bytes);
  }
}
