import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ActivityDependencies } from '../../../src/activities/dependencies.js';
import { jobOfFolders } from '../../../src/activities/shards/local-job.js';
import { planJob } from '../../../src/activities/shards/plan-job.js';
import { shardInProcess } from '../../../src/activities/shards/shard-in-process.js';
import type { ShardingJob } from '../../../src/activities/shards/sharding-job.js';
import type { Dir, Manifest, ShardPlanSummary, ShardStep } from '../../../src/core/contract.js';
import { manifestKey } from '../../../src/core/layout.js';
import { shardConfigSchema, type ParsedShardConfig, type ShardConfig } from '../../../src/core/schemas/input.js';
import { manifestSchema } from '../../../src/core/schemas/manifest.js';
import type { ObjectStore } from '../../../src/storage/object-store.js';
import { openStore } from '../../../src/storage/open-store.js';
import { createEngine } from '../../../src/transfer/engine.js';
import { writeFormulaModel, type FormulaModel } from '../../helpers/formula-models.js';
import { tmpFolder } from '../../helpers/tmp.js';
import { live, quickPolicies } from '../../helpers/transfer-setup.js';

/** A checkpoint in a folder, a folder for its shards, and what the steps need. */
export interface JobSetup {
  readonly model: FormulaModel;
  /** The folder with the checkpoint, and the one that the shards are asked for in. */
  readonly source: string;
  readonly target: string;
  readonly store: ObjectStore;
  readonly dependencies: ActivityDependencies;
  job(change?: JobChange): Promise<ShardingJob>;
  plan(change?: JobChange): Promise<{ readonly summary: ShardPlanSummary; readonly step: ShardStep }>;
  run(change?: JobChange & { readonly signal?: AbortSignal }): Promise<{ readonly dir: Dir; readonly hit: boolean }>;
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
  const store = await open(root(folder));
  const dependencies = dependenciesOf({ openStore: open, partSizeBytes, scratchFolder: join(folder, 'scratch') });
  const setup: JobSetup = {
    model,
    source,
    target: join(folder, FOLDER),
    store,
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
      const outcome = await planJob(dependencies, job, live());
      if (outcome.kind === 'hit') throw new Error('A hit, where a plan was expected.');
      const { dirKey, planId } = outcome.plan;
      return { summary: outcome.plan, step: { destination: job.target.store.root, dirKey, planId } };
    },
    run: async ({ signal = live().signal, ...change } = {}) =>
      shardInProcess(dependencies, await setup.job(change), { signal, onMoment: () => undefined }),
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
    files.push({ path: key, size, etag, sha256: digestOf(await readFile(join(folder, key))) });
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

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
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

/** Changes one bit of a file in place, as a bad disk does it. */
export async function flipBit(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await writeFile(path, bytes);
}
