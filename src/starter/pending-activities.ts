import type { WorkflowHandle } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { withoutSecrets } from '../core/foreign-text.js';

/** An activity that is under way or waits to be tried again, as the server tells it. */
export interface PendingActivity {
  readonly type: string;
  readonly attempt: number;
  /** Last heartbeat, decoded; undefined when there was none. */
  readonly details: unknown;
  readonly lastFailure?: string;
}

type Converter = WorkflowHandle['client']['options']['loadedDataConverter'];
type Pending = NonNullable<Awaited<ReturnType<WorkflowHandle['describe']>>['raw']['pendingActivities']>[number];

/** What the server knows of activities that are not finished. */
export async function pendingActivities(handle: WorkflowHandle): Promise<PendingActivity[]> {
  const { raw } = await handle.describe();
  const { loadedDataConverter } = handle.client.options;
  return Promise.all((raw.pendingActivities ?? []).map((pending) => read(pending, loadedDataConverter)));
}

async function read(pending: Pending, converter: Converter): Promise<PendingActivity> {
  const payload = pending.heartbeatDetails?.payloads?.[0];
  const { message, encodedAttributes } = pending.lastFailure ?? {};
  const encoded = encodedAttributes ? await decode(encodedAttributes, converter) : undefined;
  const lastFailure = messageIn(encoded) ?? message;
  return {
    type: pending.activityType?.name ?? '',
    attempt: pending.attempt ?? 1,
    details: payload ? await decode(payload, converter) : undefined,
    ...(lastFailure ? { lastFailure: withoutSecrets(lastFailure) } : {}),
  };
}

/** What cannot be decoded here is as if it were not there: then there is no live part, and no failure. */
async function decode(payload: Payload, { payloadCodecs, payloadConverter }: Converter): Promise<unknown> {
  try {
    let payloads = [payload];
    for (const codec of payloadCodecs.toReversed()) payloads = await codec.decode(payloads);
    const [decoded] = payloads;
    return decoded === undefined ? undefined : payloadConverter.fromPayload(decoded);
  } catch {
    return undefined;
  }
}

function messageIn(attributes: unknown): string | undefined {
  if (typeof attributes !== 'object' || attributes === null || !('message' in attributes)) return undefined;
  return typeof attributes.message === 'string' ? attributes.message : undefined;
}
