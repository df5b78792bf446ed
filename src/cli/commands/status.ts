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
import { findRun, targetIds, type Found } from '../target.js';

const QUERY_MS = 12_000;

interface Status {
  readonly workflowId: string;
  readonly status: PrefetchStatus;
  /** The command that worked on it has ended, and it has not. */
  readonly abandoned?: boolean;
  readonly progress?: LiveProgress;
  /** Why a run that is under way says nothing of its progress. */
  readonly silence?: string;
  readonly dir?: Dir;
  readonly failure?: string;
}

/** Prints how far a run is. */
export async function runStatus(options: TargetOptions, context: CliContext): Promise<void> {
  const ids = await targetIds(options.candidates);
  const session = await openSessionToLook(readSettings(), options, context);
  try {
    const status = await look(session, await findRun(ids, session), context);
    if (options.output === 'json') printJson(context, status);
    else printResult(context, statusText(status));
  } finally {
    await session.close();
  }
}

async function look(
  session: Session,
  { handle, status }: Found,
  { signal }: Pick<CliContext, 'signal'>
): Promise<Status> {
  const { workflowId } = handle;
  if (status !== 'running') return { workflowId, status, ...(await outcome(handle, signal)) };
  if (!(await session.prefetches.isWorkedOn(workflowId))) return { workflowId, status, abandoned: true };
  return { workflowId, status, ...(await howFar(session, handle)) };
}

/** Only a worker can answer; without one the state is all there is to tell, and that there is none. */
async function howFar(session: Session, handle: PrefetchHandle): Promise<Pick<Status, 'progress' | 'silence'>> {
  try {
    return { progress: await session.client.withDeadline(Date.now() + QUERY_MS, () => handle.progress()) };
  } catch (error) {
    const told = isPrefetchError(error) && ['NoWorkers', 'ResultNotDecoded'].includes(error.code);
    return told ? { silence: error.text } : {};
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

function statusText({ workflowId, status, abandoned = false, progress, silence, dir, failure }: Status): string {
  const rows: [string, string | undefined][] = [
    ['Workflow', workflowId],
    ['Status', abandoned ? `${status}, but nobody works on it any more: run hf-model again` : status],
    ['Progress', progress === undefined ? undefined : progressLine({ progress })],
    ['Waiting', progress?.waiting === undefined ? silence : waitingText(progress.waiting)],
    ['To do', progress?.waiting?.command],
    ['Dir', dir?.path],
    ['Failure', failure],
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [`${name.padEnd(9)} ${value}`])).join('\n');
}
