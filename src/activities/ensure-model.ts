import { Context, getClient } from '@temporalio/activity';
import type { Dir, EnsureModelRequest, WaitProgress } from '../core/contract.js';
import { DEFAULT_TASK_QUEUE } from '../core/queues.js';
import { parseKeptInput } from '../core/schemas/parse.js';
import { awaitPrefetch } from '../starter/await-prefetch.js';
import { runProgress } from '../starter/run-progress.js';
import { startPrefetch } from '../starter/start-prefetch.js';

/**
 * Starts the prefetch or joins the running one, and waits for its Dir. A child workflow could not join:
 * the server refuses conflict policies for children. Cancelling the waiter leaves the shared run alone, unless it asks for
 * the run to be cancelled with it.
 */
export async function ensureModel(
  request: EnsureModelRequest,
  options: { readonly signal: AbortSignal; readonly onProgress: (progress: WaitProgress) => void }
): Promise<Dir> {
  const { input, taskQueue, cancelRun } = readRequest(request, Context.current().info.taskQueue);
  parseKeptInput(input);
  const client = getClient();
  const { workflowId } = await startPrefetch(client, input, { taskQueue });
  const onPoll = () => {
    options.onProgress({ workflowId, taskQueue });
    void runProgress(client, workflowId).then((progress) => {
      options.onProgress({ workflowId, taskQueue, ...progress });
    });
  };
  try {
    return await awaitPrefetch(client, workflowId, { signal: options.signal, onPoll });
  } catch (error) {
    if (cancelRun && isCancelled()) await cancelQuietly(client, workflowId);
    throw error;
  }
}

type Client = ReturnType<typeof getClient>;

interface Request {
  readonly input: unknown;
  readonly taskQueue: string;
  readonly cancelRun: boolean;
}

/** A person may give the input itself, as to the workflow; the queue of the wait tells the base of the others. */
function readRequest(request: unknown, ownQueue: string): Request {
  const base = /^(.+)-wait$/.exec(ownQueue)?.[1] ?? DEFAULT_TASK_QUEUE;
  if (typeof request !== 'object' || request === null) return { input: request, taskQueue: base, cancelRun: false };
  if (!('input' in request)) return { input: request, taskQueue: base, cancelRun: false };
  return {
    input: request.input,
    taskQueue: 'taskQueue' in request && typeof request.taskQueue === 'string' ? request.taskQueue : base,
    cancelRun: 'cancelRun' in request && request.cancelRun === true,
  };
}

/** Somebody cancelled the wait: it was not paused, reset, timed out or handed over to another worker. */
function isCancelled(): boolean {
  return Context.current().cancellationDetails?.cancelRequested === true;
}

/** A run that has ended meanwhile needs no cancelling. The calls of a cancelled activity have a signal that is aborted. */
async function cancelQuietly(client: Client, workflowId: string): Promise<void> {
  const handle = client.workflow.getHandle(workflowId);
  await client.withAbortSignal(new AbortController().signal, () => handle.cancel()).catch(() => undefined);
}
