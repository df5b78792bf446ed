import type { Client } from '@temporalio/client';
import type { PrefetchClient } from '../../client.js';

/** A way to Temporal, and what was started for it. */
export interface Session {
  readonly kind: 'embedded' | 'cluster';
  readonly client: Client;
  readonly prefetches: PrefetchClient;
  readonly taskQueue: string;
  /** Whether workers may be there that answer queries and go on with a run. */
  readonly hasWorkers: boolean;
  /** Rejects when something that the session started breaks down. */
  readonly broken: Promise<never>;
  /** Stops all that was started; what was found running stays. */
  close(): Promise<void>;
}

/** For sessions that start nothing of their own. */
export const neverBroken: Promise<never> = new Promise(() => undefined);
