import { setTimeout as delay } from 'node:timers/promises';
import type { Settings } from '../../config/environment.js';
import { isPrefetchError } from '../../core/errors.js';
import { type CliContext, say } from '../context.js';
import { openAttachedSession } from './attached-session.js';
import { openClusterSession } from './cluster-session.js';
import { openEmbeddedSession } from './embedded-session.js';
import type { Session } from './session.js';
import { isTemporalConfigured } from './temporal-config.js';

/** Another command has the home, and no server yet, or no longer: for that long it is worth asking again. */
const CHANGING_MS = 10_000;
const AGAIN_MS = 100;

/** Opens the cluster of the environment to look at runs, or the embedded server of this user's home. */
export async function openSessionToLook(
  settings: Settings,
  options: { readonly verbose: boolean },
  context: CliContext
): Promise<Session> {
  if (isTemporalConfigured()) return openClusterSession(settings, options);
  const deadline = Date.now() + CHANGING_MS;
  for (;;) {
    const attached = await openAttachedSession(settings, options);
    if (attached !== undefined) return attached;
    try {
      return await openOwnServer(settings, options, context);
    } catch (error) {
      if (!isPrefetchError(error, 'HomeBusy') || Date.now() > deadline) throw error;
      await delay(AGAIN_MS, undefined, { signal: context.signal }).catch(() => {
        context.signal.throwIfAborted();
      });
    }
  }
}

async function openOwnServer(
  settings: Settings,
  options: { readonly verbose: boolean },
  context: CliContext
): Promise<Session> {
  return openEmbeddedSession({
    settings,
    ...options,
    withWorkers: false,
    signal: context.signal,
    say: (line) => {
      say(context, line);
    },
  });
}
