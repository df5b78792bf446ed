import { Context } from '@temporalio/activity';
import { withoutSecretsDeep } from '../core/foreign-text.js';

const EVERY_MS = 2_000;

/**
 * Runs work under a heartbeat: the server hears that it is alive, and the last details that it gave.
 * Details are for people and progress bars; what a retry needs stands in the store, but for how often vLLM failed.
 */
export async function withHeartbeat<T>(
  work: (report: (details: unknown) => void) => Promise<T>,
  first?: unknown
): Promise<T> {
  const context = Context.current();
  let details = first;
  const beat = () => {
    context.heartbeat(withoutSecretsDeep(details));
  };
  beat();
  // A heartbeat without details would overwrite the last ones, so the timer sends them again.
  const timer = setInterval(beat, EVERY_MS);
  try {
    return await work((latest) => {
      details = latest;
    });
  } finally {
    clearInterval(timer);
    beat();
  }
}
