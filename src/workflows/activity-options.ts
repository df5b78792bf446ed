import type { ActivityOptions } from '@temporalio/workflow';

/*
 * A heartbeat goes out every 2 s. When none has come for the time-out, the server takes the worker for dead and gives the
 * step to another one. One that is not dead after all costs the parts in flight, fetched twice, and never wrong bytes; so
 * the time-outs are as short as a busy worker allows. Its event loop stands still for less than a second where it reads or
 * writes a manifest of 20,000 files, a few seconds on a fraction of a CPU, and a server that restarts is away as long.
 */

/** Steps that ask the Hub and the store. A rate limit or an outage may last, so they are tried for a day. */
export const LIGHT_STEP: ActivityOptions = {
  // A published Dir of which only the etags changed is read as a whole; that it goes on is what the heartbeat says.
  startToCloseTimeout: '12h',
  scheduleToCloseTimeout: '24h',
  // Longer than for bytes: such a step reads the manifests, and begins anew where it was taken for dead.
  heartbeatTimeout: '30s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
};

/** `authenticate` sends no heartbeat: it is over in seconds, or its time-outs end it. */
export const AUTHENTICATE: ActivityOptions = {
  startToCloseTimeout: '2m',
  scheduleToCloseTimeout: '24h',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
};

/** A batch of bytes: long, heard of every few seconds, tried again until it is through. */
export const BATCH: ActivityOptions = {
  startToCloseTimeout: '24h',
  scheduleToCloseTimeout: '7d',
  heartbeatTimeout: '20s',
  // The SDK's default would let a run end, or plan anew, while its last parts are still being written.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '2s', backoffCoefficient: 2, maximumInterval: '2m' },
};

/**
 * For a step whose work a good Dir is served without. It may take as long as it gets on, but not wait for what is away: the
 * caller could have the Dir at once.
 */
export function ifSoon(options: ActivityOptions): ActivityOptions {
  return {
    ...options,
    scheduleToStartTimeout: '10m',
    scheduleToCloseTimeout: '1h',
    retry: { ...options.retry, maximumAttempts: 5 },
  };
}
