import { continueAsNew, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { Dir, PrefetchActivities, PrefetchProgress, PrefetchSpec } from '../core/contract.js';
import { AUTHENTICATE, LIGHT_STEP } from './activity-options.js';
import { failedWith, unwrapFailure } from './failures.js';
import { startReport, type Report } from './report.js';
import { transferBatches, type TransferState } from './transfer-batches.js';

/** What a run hands to the next one when its history is long enough. */
export interface ContinuedRun extends TransferState {
  readonly version: 1;
  readonly progress: PrefetchProgress;
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
const { publishDir } = proxyActivities<PrefetchActivities>({
  ...LIGHT_STEP,
  summary: 'check every object, write the manifest',
});

/**
 * Brings a model of the Hub into the store, verified, and gives its Dir.
 * @param input - a `PrefetchInput`; whatever it is, the first activity checks it
 * @param continued - set by the run before this one, never by a caller
 */
export async function prefetchModel(input: unknown, continued?: ContinuedRun): Promise<Dir> {
  // A caller may send a second argument too, but only this workflow may say where a run goes on.
  const before = workflowInfo().continuedFromExecutionRunId === undefined ? undefined : continued;
  const report = startReport(before?.progress);
  try {
    return await bring(input, before, report);
  } catch (error) {
    throw unwrapFailure(error);
  }
}

type Planned = TransferState | { readonly dir: Dir };

async function bring(input: unknown, before: ContinuedRun | undefined, report: Report): Promise<Dir> {
  let state: Planned = before ?? (await plan(await authenticate(input), report));
  for (let round = 0; ; round++) {
    if ('dir' in state) return state.dir;
    try {
      return await transfer(input, { ...state, round }, report);
    } catch (error) {
      if (!failedWith(error, 'ObjectChanged') || round === PLANS_ANEW) throw error;
      state = await plan(state.spec, report);
    }
  }
}

async function plan(spec: PrefetchSpec, report: Report): Promise<Planned> {
  report.planning(spec);
  const outcome = await planPrefetch(spec);
  if (outcome.kind === 'hit') {
    report.done(outcome.dir, true);
    return { dir: outcome.dir };
  }
  report.transferring(outcome.plan);
  return { spec, plan: outcome.plan, nextBatch: 0 };
}

async function transfer(
  input: unknown,
  state: TransferState & { readonly round: number },
  report: Report
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
    });
  }
  report.publishing();
  const dir = await publishDir(spec, plan);
  report.done(dir, false);
  return dir;
}
