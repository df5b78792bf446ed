import { canonicalJson } from '../../core/canonical-json.js';
import type { Dir, ShardEngine, ShardPlanSummary } from '../../core/contract.js';
import type { Manifest } from '../../core/schemas/manifest.js';
import type { ShardPlan } from '../../core/schemas/shard-plan.js';
import type { DirObjects } from '../../dir/dir-objects.js';
import type { InspectOptions } from '../../dir/inspect-dir.js';
import { openDir } from '../../dir/open-dir.js';
import { sideFiles } from '../../hub/vllm-files.js';
import { isTrusted, type PublishedDir } from '../../dir/published-dir.js';
import type { ShardingJob } from './sharding-job.js';

/** What lies where a plan writes to. */
export interface Target {
  /** The Dir that is there, where it is what the plan would write. */
  readonly dir: Dir | undefined;
  readonly published: PublishedDir | undefined;
  /** The published Dir is what the plan would write, as far as its manifest says, and all of it is there. */
  readonly stays: boolean;
  readonly objects: DirObjects;
}

/** Looks where a plan would write to; no shard is written. */
export async function inspectTarget(
  job: ShardingJob,
  { plan, summary }: { readonly plan: ShardPlan; readonly summary: Pick<ShardPlanSummary, 'dirKey'> },
  options: InspectOptions
): Promise<Target> {
  const place = openDir(job.target.store, summary.dirKey);
  const { published, objects, intact } = await place.inspect(options);
  const stays = intact && isOfPlan(plan, published.manifest, job.target);
  const dir = stays && isTrusted(job, published.manifest) ? place.describe(published, job.model) : undefined;
  return { dir, published, stays, objects };
}

/** Whether a published Dir is what this plan would write. */
function isOfPlan(
  { engine, request, dtype, profile, source, model }: ShardPlan,
  { sharding }: Manifest,
  { named }: ShardingJob['target']
): boolean {
  if (sharding === undefined) return false;
  const { maxFileSize, filePattern, tensorParallelSize, vllmVersion } = request.args;
  const asked = {
    engine,
    maxFileSize,
    filePattern,
    tensorParallelSize,
    ...layoutName(engine, { profile, vllmVersion }),
  };
  const found = { ...pick(sharding), ...layoutName(sharding.engine, sharding) };
  if (canonicalJson(asked) !== canonicalJson(found) || (dtype !== 'auto' && dtype !== sharding.dtype)) return false;
  if (!areThese(source.weights, sharding.source.files)) return false;
  // The folder of a run is named after the commit, which decides what lies beside the weights.
  if (!named) return true;
  const sameCommit = model.commit === undefined || model.commit === sharding.source.commit;
  // An earlier release copied what today's rule leaves out; that it lies there changes nothing.
  const others = engine === 'native' ? sideFiles(sharding.source.others) : sharding.source.others;
  return sameCommit && areThese(source.others, others);
}

type PlannedFile = ShardPlan['source']['others'][number];
type ListedFile = NonNullable<Manifest['sharding']>['source']['others'][number];

/** By digest; by the source store's etag where nobody knows one. */
function areThese(planned: readonly PlannedFile[], listed: readonly ListedFile[]): boolean {
  const files = new Map(listed.map((file) => [file.path, file]));
  return (
    files.size === planned.length &&
    planned.every(({ path, size, etag, digest }) => {
      const file = files.get(path);
      if (file?.size !== size) return false;
      const hex = digest === undefined ? undefined : file[digest.algorithm];
      return hex === undefined ? file.etag === etag : hex === digest?.hex;
    })
  );
}

function pick({ engine, maxFileSize, filePattern, tensorParallelSize }: NonNullable<Manifest['sharding']>) {
  return { engine, maxFileSize, filePattern, tensorParallelSize };
}

function layoutName(
  engine: ShardEngine,
  { profile, vllmVersion }: { readonly profile?: string | undefined; readonly vllmVersion: string }
) {
  return engine === 'native' ? { profile } : { vllmVersion };
}
