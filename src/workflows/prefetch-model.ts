import { continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { Dir, PrefetchActivities, PrefetchProgress } from '../core/contract.js';
import { AUTHENTICATE, LIGHT_STEP } from './activity-options.js';
import { unwrapFailure } from './failures.js';
import { startReport, type Report } from './report.js';
import { transferBatches, type TransferState } from './transfer-batches.js';

/** What a run hands to the next one when its history is long enough. */
export interface ContinuedRun extends TransferState {
  readonly version: 1;
  readonly progress: PrefetchProgress;
}

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
  const report = startReport(continued?.progress);
  try {
    const state = continued ?? (await begin(input, report));
    if ('dir' in state) return state.dir;
    return await transfer(input, state, report);
  } catch (error) {
    throw unwrapFailure(error);
  }
}

async function begin(input: unknown, report: Report): Promise<TransferState | { readonly dir: Dir }> {
  const spec = await authenticate(input);
  report.planning(spec);
  const outcome = await planPrefetch(spec);
  if (outcome.kind === 'hit') {
    report.done(outcome.dir, true);
    return { dir: outcome.dir };
  }
  report.transferring(outcome.plan);
  return { spec, plan: outcome.plan, nextBatch: 0 };
}

async function transfer(input: unknown, state: TransferState, report: Report): Promise<Dir> {
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
