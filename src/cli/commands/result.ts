import { readSettings } from '../../config/environment.js';
import { PrefetchError } from '../../core/errors.js';
import type { CliContext } from '../context.js';
import { printDir } from '../dir-text.js';
import type { TargetOptions } from '../invocation.js';
import { followRun } from '../progress/follow-run.js';
import { openSessionToLook } from '../session/open-session.js';
import { targetId } from '../target.js';

/** Waits for a run and prints its Dir. */
export async function runResult(options: TargetOptions, context: CliContext): Promise<void> {
  const workflowId = await targetId(options);
  const session = await openSessionToLook(readSettings(), options, context);
  try {
    const handle = session.prefetches.get(workflowId);
    if ((await handle.status()) === 'running') {
      if (!session.hasWorkers)
        throw new PrefetchError('NoWorkers', `Nobody works on ${workflowId}: run hf-model again`);
      printDir(await followRun(handle, session, context), options.output, context);
    } else {
      printDir(await handle.result({ signal: context.signal }), options.output, context);
    }
  } finally {
    await session.close();
  }
}
