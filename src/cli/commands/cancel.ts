import { readSettings } from '../../config/environment.js';
import { type CliContext, printJson, say } from '../context.js';
import type { TargetOptions } from '../invocation.js';
import { openSessionToLook } from '../session/open-session.js';
import { findRun, targetIds } from '../target.js';

/** Asks a run to stop. One that has ended already is left as it is. */
export async function runCancel(options: TargetOptions, context: CliContext): Promise<void> {
  const ids = await targetIds(options.candidates);
  const session = await openSessionToLook(readSettings(), options, context);
  try {
    const { handle, status } = await findRun(ids, session);
    const { workflowId } = handle;
    if (status === 'running') await handle.cancel();
    say(context, status === 'running' ? `Asked ${workflowId} to stop` : `${workflowId} is not running: ${status}`);
    if (options.output === 'json') printJson(context, { workflowId, cancelRequested: status === 'running' });
  } finally {
    await session.close();
  }
}
