import type { Client } from '@temporalio/client';
import type { PrefetchHandle, PrefetchInput } from '../../client.js';

/** Starts runs and follows them. */
export interface Prefetches {
  /** Starts the prefetch, or joins the one that runs. */
  start(input: PrefetchInput): Promise<PrefetchHandle>;
  get(workflowId: string): PrefetchHandle;
  /** Whether a run that is open has anybody who works on it; workers of a cluster may come at any time. */
  isWorkedOn(workflowId: string): Promise<boolean>;
}

/** A way to Temporal, and what was started for it. */
export interface Session {
  readonly kind: 'embedded' | 'cluster';
  readonly client: Client;
  readonly prefetches: Prefetches;
  readonly taskQueue: string;
  /** Rejects when something that the session started breaks down. */
  readonly broken: Promise<never>;
  /** Stops all that was started; what was found running stays. */
  close(): Promise<void>;
}

/** For sessions that start nothing of their own. */
export const neverBroken: Promise<never> = new Promise(() => undefined);
