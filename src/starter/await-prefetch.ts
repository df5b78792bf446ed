import {
  isGrpcCancelledError,
  isGrpcDeadlineError,
  WorkflowContinuedAsNewError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  type Client,
} from '@temporalio/client';
import { CancelledFailure, TerminatedFailure, TimeoutFailure } from '@temporalio/common';
import type { Dir } from '../core/contract.js';
import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { asUndecoded, resultNotDecodedText } from '../core/undecoded.js';
import { unlessAborted } from '../tasks/unless-aborted.js';
import { isReadLater, notDecodedHere } from './undecoded-result.js';
import { fromFailure } from './from-failure.js';
import { describeAnswer, isOutage, isServiceError } from './server-answers.js';

/** A poll is bounded, because clients on a native connection do not hear an abort signal. */
const POLL_MS = 20_000;
const CLOCK_SLACK_MS = 1_000;
/** A server that restarts is back within seconds; one that is away for hours must not be asked all the time. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/** How a wait is given up and watched. */
export interface AwaitOptions {
  readonly signal?: AbortSignal;
  /** This very run, and those that it goes on as. @default whichever has the ID */
  readonly runId?: string;
  /** Called before each poll. */
  readonly onPoll?: () => void;
  /** Called each time that the server, or the key service of the codec, does not answer, with what came instead; what it throws ends the wait. */
  readonly onOutage?: (answer: string) => void;
}

/**
 * Waits for the Dir of a prefetch, however long the server is away meanwhile: the run is in its database, and goes on.
 * Giving up the wait never cancels the run.
 * @throws PrefetchError with the code and the details that the run failed with; the signal's reason when aborted
 */
export async function awaitPrefetch(client: Client, workflowId: string, options: AwaitOptions = {}): Promise<Dir> {
  const { signal, runId, onPoll, onOutage } = options;
  let outages = 0;
  for (;;) {
    signal?.throwIfAborted();
    onPoll?.();
    const deadlineMs = Date.now() + POLL_MS;
    try {
      const dir = await unlessAborted(poll(client, { workflowId, runId }, deadlineMs), { signal });
      return decoded(dir, workflowId);
    } catch (error) {
      signal?.throwIfAborted();
      if (isPollOver(error, deadlineMs) || error instanceof WorkflowContinuedAsNewError) {
        outages = 0;
        continue;
      }
      if (!isOutage(error) && !(await isCodecOutage(client, error, workflowId))) {
        throw await translate(client, error, workflowId);
      }
      onOutage?.(describeAnswer(error));
      await pause(Math.min(FIRST_PAUSE_MS * 2 ** outages, LONGEST_PAUSE_MS), { signal });
      outages += 1;
    }
  }
}

function decoded(dir: Dir, workflowId: string): Dir {
  const undecoded = asUndecoded(dir);
  if (undecoded === undefined) return dir;
  throw new PrefetchError('ResultNotDecoded', resultNotDecodedText(`The result of ${workflowId}`, undecoded), {
    details: { workflowId },
  });
}

interface Awaited {
  readonly workflowId: string;
  readonly runId: string | undefined;
}

function poll(client: Client, { workflowId, runId }: Awaited, deadlineMs: number): Promise<Dir> {
  const handle = client.workflow.getHandle(workflowId, runId);
  return client.withDeadline(deadlineMs, () => handle.result() as Promise<Dir>);
}

async function pause(ms: number, options: { readonly signal: AbortSignal | undefined }): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  try {
    await unlessAborted(over, options);
  } finally {
    clearTimeout(timer);
  }
}

/** A native connection that notices the end of a call before the server does says CANCELLED, not DEADLINE_EXCEEDED. */
function isPollOver(error: unknown, deadlineMs: number): boolean {
  return isGrpcDeadlineError(error) || (isGrpcCancelledError(error) && Date.now() > deadlineMs - CLOCK_SLACK_MS);
}

async function isCodecOutage(client: Client, error: unknown, workflowId: string): Promise<boolean> {
  const isAnswer = error instanceof WorkflowFailedError || error instanceof WorkflowNotFoundError;
  if (isAnswer || isPrefetchError(error) || isServiceError(error)) return false;
  return isReadLater(client, error, workflowId);
}

async function translate(client: Client, error: unknown, workflowId: string): Promise<unknown> {
  if (error instanceof WorkflowNotFoundError) {
    return new PrefetchError('WorkflowNotFound', `There is no workflow with the ID ${workflowId}`);
  }
  if (error instanceof WorkflowFailedError) {
    return fromFailure(error.cause, { workflowId }) ?? otherFailure(error.cause, workflowId);
  }
  if (isPrefetchError(error)) return error;
  if (!isServiceError(error)) return (await notDecodedHere(client, error, workflowId)) ?? error;
  return new PrefetchError(
    'ServerUnavailable',
    `The Temporal server refuses to tell the result of ${workflowId} (${describeAnswer(error)}). ` +
      'The run itself goes on. Check the namespace (TEMPORAL_NAMESPACE) and the rights of this client'
  );
}

/** The end of a run that no activity of ours failed. */
function otherFailure(cause: Error | undefined, workflowId: string): PrefetchError {
  if (cause instanceof CancelledFailure) return new PrefetchError('Cancelled', `The run ${workflowId} was cancelled`);
  if (cause instanceof TerminatedFailure) return new PrefetchError('Cancelled', `The run ${workflowId} was terminated`);
  if (cause instanceof TimeoutFailure) return new PrefetchError('Internal', `The run ${workflowId} timed out`);
  return new PrefetchError('Internal', `The run ${workflowId} failed: ${cause?.message ?? 'no reason given'}`);
}
