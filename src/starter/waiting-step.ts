import type { Client } from '@temporalio/client';
import { BATCH_ACTIVITIES } from '../core/contract.js';
import { oneLine } from '../core/control-characters.js';
import { taskQueue } from '../core/queues.js';
import type { PendingActivity } from './pending-activities.js';
import { hasPollers } from './pollers.js';

/** A step of a run that does not get on, and why. */
export interface WaitingStep {
  readonly activity: string;
  readonly attempt: number;
  /** The last failure; who paused the step; which queue no worker serves. */
  readonly message: string;
  /** It failed and is tried again, it was paused, or no worker takes it. */
  readonly reason: 'failed' | 'paused' | 'no-worker';
  readonly activityId: string;
  /** When it is tried again, in ISO 8601; absent while it is being tried, and where nobody knows. */
  readonly nextTryAt?: string;
  /** What a person can do about it. */
  readonly advice?: string;
  /** A command line that does it. */
  readonly command?: string;
}

/** The run that steps are of. */
export interface RunOfSteps {
  readonly client: Client;
  readonly workflowId: string;
  /** Base name of its queues. */
  readonly taskQueue: string;
}

/** A worker that is there takes a task within moments. */
const NOT_TAKEN_MS = 5_000;
/** Who may be to blame for a failure that waiting alone may not heal, by its code. */
const ADVICE: Readonly<Record<string, string>> = {
  HubUnavailable: 'check HF_ENDPOINT and the network of the workers',
  SourceUnavailable: 'check the network of the workers, and their proxy',
  SourceStalled: 'check the network of the workers',
  TruncatedSource: 'check the network of the workers',
  RateLimited: 'a token (HF_TOKEN) raises the limit of the Hub',
  StoreUnavailable: 'check the endpoint of the store (AWS_ENDPOINT_URL_S3) and the network of the workers',
  InsufficientResources: 'start a worker on a host that has them, or ask for less',
};

/** Which step of a run waits, and for what; one of them, where several do. */
export async function waitingStep(
  run: RunOfSteps,
  pending: readonly PendingActivity[]
): Promise<WaitingStep | undefined> {
  // The server lists them in no order, and people must not see another one each time.
  const inOrder = [...pending].sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }));
  const paused = inOrder.find(({ state, pausedBy }) => state === 'paused' || pausedBy !== undefined);
  if (paused !== undefined) return pausedStep(paused, run);
  const failed = inOrder.find((each) => each.lastFailure !== undefined && !getsOn(each));
  if (failed !== undefined) return failedStep(failed);
  // Where one is under way, the others wait for their turn.
  if (inOrder.some(({ state }) => state === 'started')) return undefined;
  const notTaken = inOrder.find(({ scheduledMs = Infinity }) => Date.now() - scheduledMs > NOT_TAKEN_MS);
  return notTaken === undefined ? undefined : notTakenStep(notTaken, run);
}

/** An attempt that has reported is over the failure of the one before. */
function getsOn({ state, details }: PendingActivity): boolean {
  return state === 'started' && details !== undefined && details !== null;
}

function failedStep({ type: activity, attempt, id, nextTryMs, lastFailure = '' }: PendingActivity): WaitingStep {
  const message = oneLine(lastFailure);
  const advice = ADVICE[/^\w+/.exec(message)?.[0] ?? ''];
  return {
    activity,
    attempt,
    message,
    reason: 'failed',
    activityId: id,
    ...(nextTryMs === undefined ? {} : { nextTryAt: new Date(nextTryMs).toISOString() }),
    // Most failures say it themselves.
    ...(advice === undefined || /\b(?:check|set|give|name|see)\b/i.test(message) ? {} : { advice }),
  };
}

function pausedStep(step: PendingActivity, { client, workflowId }: RunOfSteps): WaitingStep {
  const { type: activity, attempt, id, pausedBy = 'somebody', pauseReason } = step;
  const { namespace } = client.options;
  return {
    activity,
    attempt,
    message: oneLine(`paused by ${pausedBy}${pauseReason === undefined ? '' : `: ${pauseReason}`}`),
    reason: 'paused',
    activityId: id,
    advice: 'it goes on once it is unpaused',
    command:
      `temporal activity unpause --workflow-id ${quoted(workflowId)} --activity-id ${quoted(id)}` +
      (namespace === 'default' ? '' : ` --namespace ${quoted(namespace)}`),
  };
}

/** As one word of a shell; an ID is whatever its caller likes. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${oneLine(word).replaceAll("'", "'\\''")}'`;
}

async function notTakenStep(step: PendingActivity, run: RunOfSteps): Promise<WaitingStep | undefined> {
  const { type: activity, attempt, id } = step;
  const role = BATCH_ACTIVITIES.includes(activity) ? 'transfer' : undefined;
  const queue = step.taskQueue ?? (role === undefined ? run.taskQueue : taskQueue(run.taskQueue, role));
  // Who may not ask about queues is told nothing of them.
  if (await hasPollers(run.client, queue, 'activity').catch(() => true)) return undefined;
  return {
    activity,
    attempt,
    message: `no worker polls the task queue "${queue}"`,
    reason: 'no-worker',
    activityId: id,
    advice: 'the run goes on once one does',
    command: `model-prefetch worker${queue === taskQueue(run.taskQueue, 'transfer') ? ' --roles transfer' : ''}`,
  };
}
