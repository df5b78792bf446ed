import { createHash } from 'node:crypto';
import type { Dir, Manifest, PrefetchSpec, ShardStep } from '../../core/contract.js';
import { PrefetchError } from '../../core/errors.js';
import type { ManifestSharding } from '../../core/schemas/manifest.js';
import type { ShardPlan, ShardRecord } from '../../core/schemas/shard-plan.js';
import { openDir, type StoredDir } from '../../dir/open-dir.js';
import type { PublishedDir } from '../../dir/published-dir.js';
import { requireVerified } from '../../dir/require-verified.js';
import { readShardRecord, records } from '../../dir/shard-records.js';
import { partOf } from '../../shard/file-names.js';
import { objectUrl } from '../../storage/store-url.js';
import { mapAtOnce } from '../../tasks/for-each-at-once.js';
import type { ActivityDependencies } from '../dependencies.js';
import { tidyDir } from '../tidy-dir.js';
import { openStep, REQUESTS_AT_ONCE, type StepContext } from './step-context.js';
import { isCheckOf, readWritten } from './written-shards.js';

type Needs = Pick<ActivityDependencies, 'openStore' | 'tool' | 'warn'>;

/** Checks that every file is there as it was verified, writes the manifest, and removes the plan. */
export async function publishShards(
  needs: Needs,
  step: ShardStep,
  { revision, signal, now }: Pick<PrefetchSpec, 'revision'> & { readonly signal: AbortSignal; readonly now: Date }
): Promise<Dir> {
  const dir = openDir(await needs.openStore(step.destination), step.dirKey);
  const found = await dir.inspect({ signal, mayRepair: () => true });
  // An attempt that died may have published already, and its plan may be gone.
  if (found.intact && found.published.manifest.sharding?.planId === step.planId) {
    await tidyDir(dir, found.published.manifest, { signal, warn: needs.warn });
    return dir.describe(found.published, { revision });
  }
  const context = await openStep(needs, step, { signal });
  const done = await readAllRecords(context, { signal });
  const files = done.flatMap((record) => record.files).sort((a, b) => (a.path < b.path ? -1 : 1));
  const objects = await requireVerified(dir, files, { signal });
  const { filePattern } = context.plan.request.args;
  await removeStrays(dir, { objects: [...objects.keys()], files, filePattern, published: found.published, signal });
  const manifest = makeManifest(context, { done, files, tool: needs.tool, createdAt: now.toISOString() });
  const published = await dir.publish(manifest, { signal });
  await tidyDir(dir, manifest, { signal, warn: needs.warn });
  return dir.describe(published, { revision });
}

/** Everything that was written and checked; a record that is missing, or of other files, means that a step is not done. */
async function readAllRecords(context: StepContext, options: { readonly signal: AbortSignal }): Promise<ShardRecord[]> {
  const { store, step, plan } = context;
  const modelFiles = await readShardRecord(store, step, records.modelFiles, options);
  const written = await readWritten(context, options);
  const files = plan.source.weights.keys();
  const checks = await mapAtOnce(files, { limit: REQUESTS_AT_ONCE, ...options }, (file, inner) =>
    readShardRecord(store, step, records.check(file), inner)
  );
  const done = [modelFiles, ...written, ...checks.filter((check) => isCheckOf(check, written))];
  const complete = done.filter((record) => record !== undefined);
  if (complete.length === 1 + written.length + checks.length) return complete;
  throw new PrefetchError(
    'ObjectChanged',
    `Not all of ${store.root}${step.dirKey} is written and checked. Run it again`
  );
}

/** Whatever has the name of a shard vLLM would load, and an earlier attempt may have left some. All else is not ours. */
async function removeStrays(dir: StoredDir, { objects, files, filePattern, published, signal }: Strays): Promise<void> {
  const kept = new Set(files.map(({ path }) => path));
  const strays = new Set(objects.filter((path) => partOf(filePattern, path) >= 0 && !kept.has(path)));
  // Nothing that a manifest names goes before the manifest.
  if (published?.manifest.files.some(({ path }) => strays.has(path)) === true) {
    await dir.withdraw(published, { signal });
  }
  await dir.store.deleteMany(
    [...strays].map((path) => `${dir.dirKey}${path}`),
    { signal }
  );
}

interface Strays {
  readonly objects: readonly string[];
  readonly files: ShardRecord['files'];
  readonly filePattern: string;
  readonly published: PublishedDir | undefined;
  readonly signal: AbortSignal;
}

interface Done {
  readonly done: readonly ShardRecord[];
  readonly files: ShardRecord['files'];
  readonly tool: Manifest['tool'];
  readonly createdAt: string;
}

function makeManifest(context: StepContext, { done, files, tool, createdAt }: Done): Manifest {
  const { plan } = context;
  const { model, force, metadata } = plan;
  const sharding = describeSharding(context, done);
  return {
    version: 1,
    repo: model.repo,
    revision: model.revision,
    commit: sharding.source.commit,
    artifactName: model.artifactName,
    format: 'vllm-sharded-state',
    selection: model.selection,
    ...(force === undefined ? {} : { force }),
    tool,
    createdAt,
    ...(metadata === undefined ? {} : { metadata }),
    sharding,
    fileCount: files.length,
    totalBytes: files.reduce((sum, { size }) => sum + size, 0),
    files,
  };
}

function describeSharding({ plan, layout, source }: StepContext, done: readonly ShardRecord[]): ManifestSharding {
  const { engine, reason, request, profile } = plan;
  const { tensorParallelSize, maxFileSize, filePattern, vllmVersion } = request.args;
  const vllm = done.find((record) => record.vllm !== undefined)?.vllm;
  const version = vllm?.version ?? vllmVersion;
  const checked = new Map(done.flatMap((record) => record.checked).map(({ path, sha256 }) => [path, sha256]));
  return {
    planId: plan.planId,
    engine,
    reason,
    ...(profile === undefined ? {} : { profile }),
    vllmVersion: version,
    vllmVersions: layout?.profile.versions.map(({ from, to }) => ({ from, to })) ?? [{ from: version, to: version }],
    tensorParallelSize,
    dtype: vllm?.dtype ?? plan.dtype,
    maxFileSize,
    filePattern,
    ...(plan.headDiffers || vllm?.untied === true ? { untied: true } : {}),
    request,
    source: {
      path: objectUrl(source.root, plan.source.dirKey),
      commit: plan.model.commit ?? contentId(plan, checked),
      files: plan.source.weights.map(({ path, size, etag }) => {
        const sha256 = checked.get(path);
        return { path, size, etag, ...(sha256 === undefined ? {} : { sha256 }) };
      }),
      others: plan.source.others.map(({ path, size, etag, digest }) => {
        return { path, size, etag, ...(digest === undefined ? {} : { [digest.algorithm]: digest.hex }) };
      }),
    },
  };
}

/** A checkpoint that no Hub knows is named by its content: a digest over the digests of its weights. */
function contentId({ source }: ShardPlan, checked: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256');
  // Without a layout nobody knows which files are weights, nor read them: the store's word for their bytes has to do.
  const files = source.weights.length > 0 ? source.weights : source.others;
  for (const { path, etag, digest } of files) hash.update(`${checked.get(path) ?? digest?.hex ?? etag}  ${path}\n`);
  return hash.digest('hex').slice(0, 40);
}
