import type { ShardOutcome } from '../../core/contract.js';
import { planPrefix, shardPlanKey } from '../../core/keys.js';
import type { DirObjects } from '../../dir/dir-objects.js';
import { writeJson } from '../../dir/json-objects.js';
import { openDir } from '../../dir/open-dir.js';
import { shardFileNames, type RankLayout } from '../../shard/rank-layout.js';
import type { ObjectStore } from '../../storage/object-store.js';
import { forEachAtOnce } from '../../tasks/for-each-at-once.js';
import type { ActivityDependencies } from '../dependencies.js';
import { keepHouse } from '../keep-house.js';
import { draftPlan } from './draft-plan.js';
import { inspectTarget, type Target } from './inspect-target.js';
import { refuseForeign } from './refuse-foreign.js';
import type { ShardingJob } from './sharding-job.js';

const UPLOADS_AT_ONCE = 8;

/** Finds the sharded Dir that is published already, or leaves a plan for the steps that follow. */
export async function planShards(
  needs: Pick<ActivityDependencies, 'engine' | 'warn'>,
  job: ShardingJob,
  options: { readonly signal: AbortSignal }
): Promise<ShardOutcome> {
  const draft = await draftPlan(needs, job, options);
  const { plan, summary, layout } = draft;
  const { dirKey, planId } = summary;
  const { store, named } = job.target;
  const { dir, published, stays, objects } = await inspectTarget(job, draft, { ...options, mayRepair: () => true });
  if (dir !== undefined) {
    const { signal } = options;
    await keepHouse(`The plan of ${store.root}${dirKey}`, { signal, warn: needs.warn }, () =>
      removeOwnPlan(store, dirKey, { objects, published, signal })
    );
    return { kind: 'hit', dir };
  }
  const planKey = shardPlanKey(dirKey, planId);
  const begun = (await store.head(planKey, options)) !== undefined;
  const place = `${store.root}${dirKey}`;
  if (named) refuseForeign({ plan, layout, objects, place, begun }, published?.manifest);
  // What an earlier attempt of this plan wrote has its room already.
  await store.checkWritable({ ...options, bytes: summary.totalBytes - (begun ? bytesOfShards(objects) : 0) });
  if (!begun) {
    // Parts that another plan left would pass for parts of this one.
    if (layout !== undefined) await giveUpUploads(store, dirKey, layout, options.signal);
    await writeJson(store, planKey, plan, options);
  }
  // A good manifest stays while a forced run replaces its objects one by one by equal bytes.
  if (published !== undefined && !stays) await openDir(store, dirKey).withdraw(published, options);
  return { kind: 'shard', plan: summary };
}

/** Whoever published a Dir may have died before its plan was removed; plans of others are in use. */
async function removeOwnPlan(
  store: ObjectStore,
  dirKey: string,
  { objects, published, signal }: Pick<Target, 'objects' | 'published'> & { readonly signal: AbortSignal }
): Promise<void> {
  const planId = published?.manifest.sharding?.planId;
  if (planId === undefined) return;
  const prefix = planPrefix('', planId);
  const paths = [...objects.keys()].filter((path) => path.startsWith(prefix));
  await store.deleteMany(
    paths.map((path) => `${dirKey}${path}`),
    { signal }
  );
}

function bytesOfShards(objects: DirObjects): number {
  const shards = [...objects].filter(([path]) => path.endsWith('.safetensors'));
  return shards.reduce((sum, [, { size }]) => sum + size, 0);
}

async function giveUpUploads(
  store: ObjectStore,
  dirKey: string,
  layout: RankLayout,
  signal: AbortSignal
): Promise<void> {
  const { multipart } = await store.capabilities({ signal });
  if (!multipart) return;
  const keys = shardFileNames(layout).map((path) => `${dirKey}${path}`);
  await forEachAtOnce(keys, { limit: UPLOADS_AT_ONCE, signal }, async (key, inner) => {
    for (const upload of await store.findUploads(key, inner)) await store.abortUpload(upload, inner);
  });
}
