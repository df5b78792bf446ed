import { continueAsNew, log, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type {
  Dir,
  PlanSummary,
  PrefetchActivities,
  PrefetchProgress,
  PrefetchSpec,
  ShardActivities,
} from '../core/contract.js';
import { AUTHENTICATE, ifSoon, LIGHT_STEP } from './activity-options.js';
import { decoded, failedOrLate, failedWith, unwrapFailure } from './failures.js';
import { startReport, type Report } from './report.js';
import { shardModel, type ShardState } from './shard-model.js';
import { transferBatches, type TransferState } from './transfer-batches.js';

/** What a run hands to the next one when its history is long enough. */
export type ContinuedRun = (TransferState | { readonly spec: PrefetchSpec; readonly shard: ShardState }) & {
  readonly version: 1;
  readonly progress: PrefetchProgress;
  /** Absent where an earlier version handed over. */
  readonly rounds?: Rounds;
};

/** How often a run, and those that it goes on for, planned anew. */
interface Rounds {
  readonly transfer: number;
  readonly shard: number;
}

/** How often a run plans anew because something else changed the Dir under it, such as another run of the same Dir. */
const PLANS_ANEW = 3;

const { authenticate } = proxyActivities<PrefetchActivities>({
  ...AUTHENTICATE,
  summary: 'input, token, access, commit',
});
const { planPrefetch } = proxyActivities<PrefetchActivities>({
  ...LIGHT_STEP,
  summary: 'what is missing in the store',
});
const PUBLISH = { ...LIGHT_STEP, summary: 'check every object, write the manifest' };
const { publishDir } = proxyActivities<PrefetchActivities>(PUBLISH);
const { publishDir: publishIfSoon } = proxyActivities<PrefetchActivities>(ifSoon(PUBLISH));
const { findShards } = proxyActivities<ShardActivities>({
  ...LIGHT_STEP,
  summary: 'shards that were made before',
});

/**
 * Brings a model of the Hub into the store, verified, shards it when that is asked for, and gives its Dir.
 * @param input - a `PrefetchInput`; whatever it is, the first activity checks it
 * @param continued - set by the run before this one, never by a caller
 */
export async function prefetchModel(input: unknown, continued?: ContinuedRun): Promise<Dir> {
  // A caller may send a second argument too, but only this workflow may say where a run goes on.
  const before = workflowInfo().continuedFromExecutionRunId === undefined ? undefined : continued;
  const report = startReport(before?.progress);
  try {
    const { dir, cacheHit } = await run(decoded(input), decoded(before), report);
    report.done(decoded(dir), cacheHit);
    return dir;
  } catch (error) {
    throw unwrapFailure(error);
  }
}

interface Result {
  readonly dir: Dir;
  readonly cacheHit: boolean;
}

async function run(input: unknown, before: ContinuedRun | undefined, report: Report): Promise<Result> {
  const spec = before?.spec ?? decoded(await authenticate(input));
  if (spec.shardConfig === undefined) return bring({ input, spec, report, shardRound: 0 }, before);
  if (before === undefined) {
    report.planning(spec);
    const dir = decoded(await findShards(spec));
    if (dir !== undefined) return { dir, cacheHit: true };
  }
  return bringSharded({ input, spec, report }, before);
}

interface Bringing {
  readonly input: unknown;
  readonly spec: PrefetchSpec;
  readonly report: Report;
  /** Of the sharding that the transfer is for. */
  readonly shardRound: number;
}

/** The model as the Hub has it, and its shards beside it; both again where something else changed them meanwhile. */
async function bringSharded(
  { input, spec, report }: Omit<Bringing, 'shardRound'>,
  before: ContinuedRun | undefined
): Promise<Result> {
  let goOn = before;
  for (let round = before?.rounds?.shard ?? 0; ; round++) {
    try {
      const shard = goOn !== undefined && 'shard' in goOn ? goOn.shard : undefined;
      if (shard === undefined) await bring({ input, spec, report, shardRound: round }, goOn);
      const result = await shardModel({ spec, before: shard, report, round });
      if ('dir' in result) return result;
      return await continueAsNew<typeof prefetchModel>(input, {
        version: 1,
        spec,
        shard: result,
        progress: report.progress(),
        rounds: { transfer: 0, shard: round },
      });
    } catch (error) {
      const mayPass = failedWith(error, 'ObjectChanged') || (failedWith(error, 'ShardMismatch') && round === 0);
      if (!mayPass || round === PLANS_ANEW) throw error;
      goOn = undefined;
    }
  }
}

/** A Dir that was good before the run stays so, whatever cannot be added to it. */
function servedAnyway(error: unknown, { served }: PlanSummary): Dir {
  if (served === undefined || !failedOrLate(error) || failedWith(error, 'ObjectChanged')) throw error;
  const why = unwrapFailure(error);
  const text = why instanceof Error ? why.message : '';
  log.warn(`${served.path} is served without files that its selection takes by now: ${text}`);
  return served;
}

type Planned = TransferState | { readonly dir: Dir };

/** The model as the Hub has it. */
async function bring(bringing: Bringing, before: ContinuedRun | undefined): Promise<Result> {
  const { spec, report } = bringing;
  let state: Planned = before !== undefined && 'plan' in before ? before : await plan(spec, report);
  for (let round = before?.rounds?.transfer ?? 0; ; round++) {
    if ('dir' in state) return { dir: state.dir, cacheHit: true };
    try {
      return { dir: await transfer(bringing, { ...state, round }), cacheHit: false };
    } catch (error) {
      if (!failedWith(error, 'ObjectChanged') || round === PLANS_ANEW)
        return { dir: servedAnyway(error, state.plan), cacheHit: true };
      state = await plan(spec, report);
    }
  }
}

async function plan(spec: PrefetchSpec, report: Report): Promise<Planned> {
  report.planning(spec);
  const outcome = decoded(await planPrefetch(spec));
  if (outcome.kind === 'hit') return { dir: outcome.dir };
  report.transferring(outcome.plan);
  return { spec, plan: outcome.plan, nextBatch: 0 };
}

async function transfer(
  { input, report, shardRound }: Bringing,
  state: TransferState & { readonly round: number }
): Promise<Dir> {
  const { spec, plan } = state;
  const nextBatch = await transferBatches(state, report.batchDone);
  if (nextBatch !== undefined) {
    return continueAsNew<typeof prefetchModel>(input, {
      version: 1,
      spec,
      plan,
      nextBatch,
      progress: report.progress(),
      rounds: { transfer: state.round, shard: shardRound },
    });
  }
  report.publishing();
  return plan.served === undefined ? publishDir(spec, plan) : publishIfSoon(spec, plan);
}
