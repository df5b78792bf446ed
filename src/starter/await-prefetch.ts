import {
  isGrpcCancelledError,
  isGrpcDeadlineError,
  WorkflowContinuedAsNewError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type Client,
} from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure, TimeoutFailure } from '@temporalio/common';
import type { Dir } from '../core/contract.js';
import { isErrorCode, PrefetchError } from '../core/errors.js';

/** A poll is bounded, because clients on a native connection do not hear an abort signal. */
const POLL_MS = 20_000;
const CLOCK_SLACK_MS = 1_000;

export interface AwaitOptions {
  readonly signal?: AbortSignal;
  /** Called before each poll. */
  readonly onPoll?: () => void;
}

/**
 * Waits for the Dir of a prefetch. Giving up the wait never cancels the run.
 * @throws PrefetchError with the code that the run failed with; the signal's reason when aborted
 */
export async function awaitPrefetch(client: Client, workflowId: string, options: AwaitOptions = {}): Promise<Dir> {
  const handle = client.workflow.getHandle(workflowId);
  const aborted = rejectOnAbort(options.signal);
  try {
    for (;;) {
      options.signal?.throwIfAborted();
      options.onPoll?.();
      const deadlineMs = Date.now() + POLL_MS;
      try {
        const result = client.withDeadline(deadlineMs, () => handle.result() as Promise<Dir>);
        // The losing promise must not become an unhandled rejection when the abort wins.
        result.catch(() => undefined);
        return await Promise.race([result, aborted.promise]);
      } catch (error) {
        if (isPollOver(error, deadlineMs) || error instanceof WorkflowContinuedAsNewError) continue;
        throw translate(error, workflowId);
      }
    }
  } finally {
    aborted.dispose();
  }
}

function rejectOnAbort(signal: AbortSignal | undefined): { promise: Promise<never>; dispose: () => void } {
  let dispose = () => {};
  const promise = new Promise<never>((_resolve, reject) => {
    const onAbort = () => {
      reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    dispose = () => signal?.removeEventListener('abort', onAbort);
  });
  promise.catch(() => undefined);
  return { promise, dispose };
}

/** A native connection that notices the end of a call before the server does says CANCELLED, not DEADLINE_EXCEEDED. */
function isPollOver(error: unknown, deadlineMs: number): boolean {
  return isGrpcDeadlineError(error) || (isGrpcCancelledError(error) && Date.now() > deadlineMs - CLOCK_SLACK_MS);
}

function translate(error: unknown, workflowId: string): unknown {
  if (error instanceof WorkflowNotFoundError) {
    return new PrefetchError('WorkflowNotFound', `There is no workflow with the ID ${workflowId}`);
  }
  if (!(error instanceof WorkflowFailedError)) return error;
  return runFailure(error.cause, workflowId);
}

/** The failure of a run as the error that its activity raised: the same code, the same permanence. */
function runFailure(cause: Error | undefined, workflowId: string): PrefetchError {
  if (cause instanceof ApplicationFailure && isErrorCode(cause.type)) {
    return new PrefetchError(cause.type, cause.message.replace(`${cause.type}: `, ''), { details: { workflowId } });
  }
  if (cause instanceof CancelledFailure) return new PrefetchError('Cancelled', `The run ${workflowId} was cancelled`);
  if (cause instanceof TerminatedFailure) return new PrefetchError('Cancelled', `The run ${workflowId} was terminated`);
  if (cause instanceof TimeoutFailure) return new PrefetchError('Internal', `The run ${workflowId} timed out`);
  return new PrefetchError('Internal', `The run ${workflowId} failed: ${cause?.message ?? 'no reason given'}`);
}
