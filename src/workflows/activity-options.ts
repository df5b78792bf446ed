import type { ActivityOptions } from '@temporalio/workflow';

/** Steps that ask the Hub and the store. A rate limit or an outage may last, so they are tried for a day. */
export const LIGHT_STEP: ActivityOptions = {
  startToCloseTimeout: '30m',
  scheduleToCloseTimeout: '24h',
  heartbeatTimeout: '60s',
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
  heartbeatTimeout: '60s',
  // The SDK's default would let a run end, or plan anew, while its last parts are still being written.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '2s', backoffCoefficient: 2, maximumInterval: '2m' },
};
