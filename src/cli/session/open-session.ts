import type { Settings } from '../../config/environment.js';
import { type CliContext, say } from '../context.js';
import { openClusterSession } from './cluster-session.js';
import { openEmbeddedSession } from './embedded-session.js';
import type { Session } from './session.js';
import { isTemporalConfigured } from './temporal-config.js';

/** Opens the cluster of the environment to look at runs, or the embedded server of this user's home. */
export async function openSessionToLook(
  settings: Settings,
  options: { readonly verbose: boolean },
  context: CliContext
): Promise<Session> {
  if (isTemporalConfigured()) return openClusterSession(settings, options);
  return openEmbeddedSession({
    settings,
    ...options,
    withWorkers: false,
    version: context.version,
    signal: context.signal,
    say: (line) => {
      say(context, line);
    },
  });
}
