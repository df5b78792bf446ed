import type { Client } from '@temporalio/client';
import { PROGRESS_QUERY, type PrefetchProgress } from '../core/contract.js';
import { asUndecoded } from '../core/undecoded.js';

const ANSWER_MS = 5_000;
const FRESH_MS = 15_000;
const MOST_KEPT = 1_000;

/** What a run last said, by client and workflow ID: a thousand waiters of one run ask it once. */
const kept = new WeakMap<
  Client,
  Map<string, { readonly at: number; readonly answer: Promise<PrefetchProgress | undefined> }>
>();

/** How far a run is by its own word, at most 15 s old; undefined when no worker answers. */
export function runProgress(client: Client, workflowId: string): Promise<PrefetchProgress | undefined> {
  const answers = kept.get(client) ?? new Map<string, never>();
  kept.set(client, answers);
  const known = answers.get(workflowId);
  if (known !== undefined && Date.now() - known.at < FRESH_MS) return known.answer;
  if (answers.size >= MOST_KEPT) answers.clear();
  const answer = ask(client, workflowId);
  answers.set(workflowId, { at: Date.now(), answer });
  return answer;
}

async function ask(client: Client, workflowId: string): Promise<PrefetchProgress | undefined> {
  try {
    const handle = client.workflow.getHandle(workflowId);
    const progress = await client.withDeadline(Date.now() + ANSWER_MS, () =>
      handle.query<PrefetchProgress>(PROGRESS_QUERY)
    );
    return asUndecoded(progress) === undefined ? progress : undefined;
  } catch {
    return undefined;
  }
}
