import { getClient } from '@temporalio/activity';
import type { Dir, EnsureModelRequest } from '../core/contract.js';
import { parseKeptInput } from '../core/schemas/parse.js';
import { awaitPrefetch } from '../starter/await-prefetch.js';
import { startPrefetch } from '../starter/start-prefetch.js';

/**
 * Starts the prefetch or joins the running one, and waits for its Dir. A child workflow could not join:
 * the server refuses conflict policies for children. Cancelling the waiter leaves the shared run alone.
 */
export async function ensureModel(
  { input, taskQueue }: EnsureModelRequest,
  options: { readonly signal: AbortSignal; readonly onPoll: () => void }
): Promise<Dir> {
  parseKeptInput(input);
  const client = getClient();
  const { workflowId } = await startPrefetch(client, input, { taskQueue });
  return awaitPrefetch(client, workflowId, options);
}
