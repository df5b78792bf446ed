import type { PrefetchHandle } from '../../client.js';
import { readSettings } from '../../config/environment.js';
import type { Dir } from '../../core/contract.js';
import { type CliContext, Interrupted, say } from '../context.js';
import { printDir } from '../dir-text.js';
import { runGoesOn } from '../follow-hint.js';
import type { TargetOptions } from '../invocation.js';
import { followRun } from '../progress/follow-run.js';
import { openSessionToLook } from '../session/open-session.js';
import type { Session } from '../session/session.js';
import { findRun, targetIds } from '../target.js';

/** Waits for a run and prints its Dir. */
export async function runResult(options: TargetOptions, context: CliContext): Promise<void> {
  const ids = await targetIds(options.candidates);
  const session = await openSessionToLook(readSettings(), options, context);
  try {
    const { handle, status } = await findRun(ids, session);
    if (status === 'running') {
      printDir(await followOther(handle, session, context), options.output, context);
    } else {
      printDir(await handle.result({ signal: context.signal }), options.output, context);
    }
  } finally {
    await session.close();
  }
}

/** The run is somebody else's: who stops waiting for it does not stop it. */
async function followOther(handle: PrefetchHandle, session: Session, context: CliContext): Promise<Dir> {
  try {
    return await followRun(handle, session, context);
  } catch (error) {
    if (error instanceof Interrupted) say(context, runGoesOn(handle.workflowId));
    throw error;
  }
}
