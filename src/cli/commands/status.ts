import type { LiveProgress, PrefetchHandle, PrefetchStatus } from '../../client.js';
import { readSettings } from '../../config/environment.js';
import type { Dir } from '../../core/contract.js';
import { isPrefetchError } from '../../core/errors.js';
import { type CliContext, printJson, printResult } from '../context.js';
import type { TargetOptions } from '../invocation.js';
import { progressLine } from '../progress/progress-line.js';
import { waitingText } from '../progress/waiting-text.js';
import { openSessionToLook } from '../session/open-session.js';
import type { Session } from '../session/session.js';
import { targetId } from '../target.js';

const QUERY_MS = 12_000;

interface Status {
  readonly workflowId: string;
  readonly status: PrefetchStatus;
  readonly progress?: LiveProgress;
  /** Why a run that is under way says nothing of its progress. */
  readonly silence?: string;
  readonly dir?: Dir;
  readonly failure?: string;
}

/** Prints how far a run is. */
export async function runStatus(options: TargetOptions, context: CliContext): Promise<void> {
  const workflowId = await targetId(options);
  const session = await openSessionToLook(readSettings(), options, context);
  try {
    const status = await look(session, session.prefetches.get(workflowId), context);
    if (options.output === 'json') printJson(context, status);
    else printResult(context, statusText(status));
  } finally {
    await session.close();
  }
}

async function look(session: Session, handle: PrefetchHandle, { signal }: Pick<CliContext, 'signal'>): Promise<Status> {
  const { workflowId } = handle;
  const status = await handle.status();
  if (status !== 'running') return { workflowId, status, ...(await outcome(handle, signal)) };
  return { workflowId, status, ...(session.hasWorkers ? await howFar(session, handle) : {}) };
}

/** Only a worker can answer; without one the state is all there is to tell, and that there is none. */
async function howFar(session: Session, handle: PrefetchHandle): Promise<Pick<Status, 'progress' | 'silence'>> {
  try {
    return { progress: await session.client.withDeadline(Date.now() + QUERY_MS, () => handle.progress()) };
  } catch (error) {
    return isPrefetchError(error, 'NoWorkers') ? { silence: error.text } : {};
  }
}

async function outcome(handle: PrefetchHandle, signal: AbortSignal): Promise<Pick<Status, 'dir' | 'failure'>> {
  try {
    return { dir: await handle.result({ signal }) };
  } catch (error) {
    if (isPrefetchError(error)) return { failure: error.message };
    throw error;
  }
}

function statusText({ workflowId, status, progress, silence, dir, failure }: Status): string {
  const rows: [string, string | undefined][] = [
    ['Workflow', workflowId],
    ['Status', status],
    ['Progress', progress === undefined ? undefined : progressLine({ progress })],
    ['Waiting', progress?.waiting === undefined ? silence : waitingText(progress.waiting)],
    ['To do', progress?.waiting?.command],
    ['Dir', dir?.path],
    ['Failure', failure],
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(9)} ${value}`])).join('\n');
}
