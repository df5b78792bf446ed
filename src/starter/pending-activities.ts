import type { WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { withoutSecrets } from '../core/foreign-text.js';

/** An activity that is under way or waits to be tried again, as the server tells it. */
export interface PendingActivity {
  readonly type: string;
  readonly attempt: number;
  /** Last heartbeat, decoded; undefined when there was none. */
  readonly details: unknown;
  readonly lastFailure?: string;
}

/** What the server knows of activities that are not finished. */
export async function pendingActivities(handle: WorkflowHandle): Promise<PendingActivity[]> {
  const { raw } = await handle.describe();
  return (raw.pendingActivities ?? []).map((pending) => {
    const payload = pending.heartbeatDetails?.payloads?.[0];
    const lastFailure = pending.lastFailure?.message;
    return {
      type: pending.activityType?.name ?? '',
      attempt: pending.attempt ?? 1,
      details: payload ? decode(payload) : undefined,
      ...(lastFailure ? { lastFailure: withoutSecrets(lastFailure) } : {}),
    };
  });
}

/** With a payload codec in use the details are unreadable here: then there is no live part, and no failure. */
function decode(payload: Parameters<typeof defaultPayloadConverter.fromPayload>[0]): unknown {
  try {
    return defaultPayloadConverter.fromPayload(payload);
  } catch {
    return undefined;
  }
}
