import { compact } from '../core/compact.js';
import type { Dir, Manifest, PrefetchSpec, ShardEngine } from '../core/contract.js';
import { isPrefetchError } from '../core/errors.js';
import { describeSelection, type DescribedSelection } from '../hub/describe-selection.js';
import type { ObjectStore } from '../storage/object-store.js';
import { objectUrl } from '../storage/store-url.js';
import { authenticate } from './authenticate.js';
import type { ActivityDependencies } from './dependencies.js';
import { draftPlan } from './shards/draft-plan.js';
import { asksForShards, findPublishedShards, type ShardingSpec } from './shards/find-shards.js';
import { foreseeEngine } from './shards/foresee-engine.js';
import { inspectTarget } from './shards/inspect-target.js';
import { jobOfRun } from './shards/sharding-job.js';
import { listOnce } from './list-once.js';
import { listAll } from './list-repo.js';
import { requireCheckpoint } from './require-checkpoint.js';
import { surveyDir } from './survey.js';

/** What a prefetch would do. */
export interface DryRun {
  readonly repo: string;
  readonly revision: string;
  readonly commit: string;
  /** URL of the Dir as it is or would be. */
  readonly dirPath: string;
  /** The published Dir, when there is nothing to do. */
  readonly published?: Dir;
  /** A published Dir that lacks files which the selection takes by now: it is a hit until they are there. */
  readonly completes?: Dir;
  /** Why it is not known whether the published Dir lacks files that the selection takes by now. */
  readonly unchecked?: string;
  /** What `selection: vllm` comes to, where the Hub answers. */
  readonly selection?: DescribedSelection;
  /** What sharding comes to, where it is asked for. Until the shards are published, all else is about their source. */
  readonly sharding?: PlannedSharding;
  readonly fileCount: number;
  readonly totalBytes: number;
  /** Bytes that would come from the Hub. */
  readonly fetchBytes: number;
  /** Bytes that would be copied inside the store. */
  readonly copyBytes: number;
  /** Bytes that are in the Dir and verified. */
  readonly verifiedBytes: number;
  readonly files: readonly DryRunFile[];
}

/** What sharding would come to. */
export interface PlannedSharding {
  readonly engine: ShardEngine;
  readonly reason: string;
  readonly tensorParallelSize: number;
  /** URL of the sharded Dir, where it is known already: its name holds what the headers of the weights decide. */
  readonly dirPath?: string;
  readonly published: boolean;
}

/** What would be done with a file: nothing where it is verified. */
export interface DryRunFile {
  readonly path: string;
  readonly size: number;
  readonly state: 'fetch' | 'copy' | 'verified';
}

type Needs = Pick<ActivityDependencies, 'hub' | 'openStore' | 'readToken' | 'destinations' | 'engine'>;

interface Options {
  readonly signal: AbortSignal;
}

/** Asks the Hub and the store what a prefetch would do, and writes nothing. Fails as the prefetch would. */
export async function dryRun(input: unknown, given: Needs, options: Options): Promise<DryRun> {
  const needs = { ...given, hub: listOnce(given.hub) };
  const spec = await authenticate(needs, input, options);
  const store = await needs.openStore(spec.destination);
  const found = asksForShards(spec)
    ? await dryRunOfShards(spec, store, needs, options)
    : await dryRunOfDir(spec, store, needs, options);
  // A Hub that just did not list is not waited for again.
  const selection = found.unchecked === undefined ? await foreseeSelection(spec, needs, options) : undefined;
  return { ...found, ...(selection === undefined ? {} : { selection }) };
}

async function dryRunOfDir(spec: PrefetchSpec, store: ObjectStore, needs: Needs, options: Options): Promise<DryRun> {
  const { files, published, completes, unchecked } = await foreseeDir(spec, store, needs, options);
  const dirPath = objectUrl(store.root, spec.dirKey);
  return { ...describe(spec, dirPath, files), ...compact({ published, completes, unchecked }) };
}

/** What is left out is in no manifest, so the Hub is asked; where it does not answer, the rest of the plan is good. */
async function foreseeSelection(
  spec: PrefetchSpec,
  { hub, readToken }: Needs,
  options: Options
): Promise<DescribedSelection | undefined> {
  if (spec.selection.kind === 'all' || !spec.hubAnswered) return undefined;
  const token = await readToken(spec.hfTokenKey);
  try {
    const all = await listAll(hub, spec, { ...options, ...(token === undefined ? {} : { token }) });
    return describeSelection(all, spec.selection);
  } catch (error) {
    if (!isPrefetchError(error)) throw error;
    return undefined;
  }
}

/** Shards that are there are all that such a prefetch asks for; it looks at the model itself only where they are not. */
async function dryRunOfShards(spec: ShardingSpec, store: ObjectStore, needs: Needs, options: Options): Promise<DryRun> {
  const found = await findPublishedShards(store, spec, options);
  if (found !== undefined) return hitOnShards(spec, found.dir, found.manifest);
  const { completes, unchecked, ...source } = await foreseeDir(spec, store, needs, options);
  const about = compact({ completes, unchecked });
  const dirPath = objectUrl(store.root, spec.dirKey);
  const { tensorParallelSize } = spec.shardConfig.args;
  if (source.manifest === undefined) {
    const { engine, reason } = await foreseeEngine(needs, spec, options);
    const sharding = { engine, reason, tensorParallelSize, published: false };
    return { ...describe(spec, dirPath, source.files), ...about, sharding };
  }
  const job = jobOfRun(spec, source.manifest, store);
  const draft = await draftPlan(needs, job, options);
  const { dir, published } = await inspectTarget(job, draft, options);
  if (dir !== undefined && published !== undefined) return hitOnShards(spec, dir, published.manifest);
  const { engine, reason, dirKey } = draft.summary;
  const sharding = {
    engine,
    reason,
    tensorParallelSize,
    dirPath: objectUrl(store.root, dirKey),
    published: false,
  };
  return { ...describe(spec, dirPath, source.files), ...about, sharding };
}

function hitOnShards(spec: ShardingSpec, dir: Dir, { files, sharding }: Manifest): DryRun {
  const { engine = 'native', reason = '' } = sharding ?? {};
  const { tensorParallelSize } = spec.shardConfig.args;
  return {
    ...describe(spec, dir.path, files.map(asVerified)),
    published: dir,
    sharding: { engine, reason, tensorParallelSize, dirPath: dir.path, published: true },
  };
}

interface ForeseenDir {
  readonly files: readonly DryRunFile[];
  /** When there is nothing to do. */
  readonly published?: Dir;
  readonly manifest?: Manifest;
  readonly completes?: Dir;
  readonly unchecked?: string;
}

async function foreseeDir(
  spec: PrefetchSpec,
  store: ObjectStore,
  needs: Needs,
  options: Options
): Promise<ForeseenDir> {
  const token = await needs.readToken(spec.hfTokenKey);
  const survey = await surveyDir({ spec, store, hub: needs.hub, token }, options);
  if (survey.kind === 'hit') {
    const { dir, manifest, unchecked } = survey;
    return { files: manifest.files.map(asVerified), published: dir, manifest, ...compact({ unchecked }) };
  }
  if (survey.completes === undefined)
    requireCheckpoint(
      spec,
      survey.files.map(({ path }) => path)
    );
  const files = survey.files.map(({ path, size, verifiedEtag, copyFrom }): DryRunFile => ({
    path,
    size,
    state: verifiedEtag !== undefined ? 'verified' : copyFrom !== undefined ? 'copy' : 'fetch',
  }));
  return { files, ...compact({ completes: survey.completes?.dir }) };
}

function asVerified({ path, size }: Pick<DryRunFile, 'path' | 'size'>): DryRunFile {
  return { path, size, state: 'verified' };
}

function describe(
  { repo, revision, commit }: Pick<PrefetchSpec, 'repo' | 'revision' | 'commit'>,
  dirPath: string,
  files: readonly DryRunFile[]
): DryRun {
  return {
    repo,
    revision,
    commit,
    dirPath,
    fileCount: files.length,
    totalBytes: bytesOf(files),
    fetchBytes: bytesOf(files.filter(({ state }) => state === 'fetch')),
    copyBytes: bytesOf(files.filter(({ state }) => state === 'copy')),
    verifiedBytes: bytesOf(files.filter(({ state }) => state === 'verified')),
    files,
  };
}

function bytesOf(files: readonly DryRunFile[]): number {
  return files.reduce((total, { size }) => total + size, 0);
}
