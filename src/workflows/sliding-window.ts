import { CancellationScope, workflowInfo } from '@temporalio/workflow';

/** Steps under way at once: enough for many workers; each worker takes as many as it has slots. */
const WINDOW = 32;
/** A step leaves about six events; this keeps a run far under the server's limit of 51,200. */
const STEPS_PER_RUN = 250;

/**
 * Runs numbered steps in a sliding window until all are done, or until this run has done its share.
 * The first failure cancels the others and is thrown when all of them stopped.
 * @returns the first step that is left for the next run, or undefined when all are done
 */
export async function slidingWindow(
  { count, next: first }: { readonly count: number; readonly next: number },
  runStep: (step: number) => Promise<void>
): Promise<number | undefined> {
  const last = Math.min(count, first + STEPS_PER_RUN);
  let next = first;
  const runLane = async () => {
    while (next < last && !workflowInfo().continueAsNewSuggested) await runStep(next++);
  };
  await CancellationScope.cancellable(async () => {
    const scope = CancellationScope.current();
    let failure: { readonly error: unknown } | undefined;
    const guarded = async () => {
      try {
        await runLane();
      } catch (error) {
        // The lanes that this cancels fail too, but the first failure is the one to tell.
        failure ??= { error };
        scope.cancel();
      }
    };
    await Promise.all(Array.from({ length: Math.min(WINDOW, last - first) }, guarded));
    if (failure !== undefined) throw failure.error;
  });
  return next < count ? next : undefined;
}
