import type { WorkflowExecutionDescription, WorkflowHandle } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import { withoutSecrets } from '../core/foreign-text.js';

/** An activity that is under way or waits to be tried again, as the server tells it. */
export interface PendingActivity {
  readonly id: string;
  readonly type: string;
  readonly state: 'scheduled' | 'started' | 'paused';
  readonly attempt: number;
  /** Last heartbeat, decoded; undefined when there was none. */
  readonly details: unknown;
  readonly lastFailure?: string;
  /** When this attempt was made ready for a worker. */
  readonly scheduledMs?: number;
  /** When the next attempt begins; absent while one is under way. */
  readonly nextTryMs?: number;
  readonly taskQueue?: string;
  readonly pausedBy?: string;
  readonly pauseReason?: string;
}

type Converter = WorkflowHandle['client']['options']['loadedDataConverter'];
type Raw = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];
type Time = Raw['scheduledTime'];

/** States as numbers: their enum lives in a package that is no dependency of ours. */
const STATES = new Map<number, PendingActivity['state']>([
  [1, 'scheduled'],
  [4, 'paused'],
]);

/** What the server knows of activities that are not finished. */
export function pendingActivities(
  { raw }: Pick<WorkflowExecutionDescription, 'raw'>,
  converter: Converter
): Promise<PendingActivity[]> {
  return Promise.all((raw.pendingActivities ?? []).map((pending) => read(pending, converter)));
}

async function read(pending: Raw, converter: Converter): Promise<PendingActivity> {
  const payload = pending.heartbeatDetails?.payloads?.[0];
  const { message, encodedAttributes } = pending.lastFailure ?? {};
  const encoded = encodedAttributes ? await decode(encodedAttributes, converter) : undefined;
  const { manual, rule } = pending.pauseInfo ?? {};
  return {
    id: pending.activityId ?? '',
    type: pending.activityType?.name ?? '',
    state: STATES.get(Number(pending.state)) ?? 'started',
    attempt: pending.attempt ?? 1,
    details: payload ? await decode(payload, converter) : undefined,
    ...texts({
      lastFailure: messageIn(encoded) ?? message,
      taskQueue: pending.activityOptions?.taskQueue?.name,
      pausedBy: manual?.identity ?? (rule?.ruleId ? `the rule ${rule.ruleId}` : undefined),
      pauseReason: manual?.reason ?? rule?.reason,
    }),
    ...times({ scheduledMs: pending.scheduledTime, nextTryMs: pending.nextAttemptScheduleTime }),
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

/** What others wrote, where they wrote anything. */
function texts<Name extends string>(given: Record<Name, string | null | undefined>): { [N in Name]?: string } {
  const found: { [N in Name]?: string } = {};
  for (const name in given) {
    const text = given[name];
    if (text) found[name] = withoutSecrets(text);
  }
  return found;
}

function times<Name extends string>(given: Record<Name, Time>): { [N in Name]?: number } {
  const found: { [N in Name]?: number } = {};
  for (const name in given) {
    const time = given[name];
    if (time?.seconds) found[name] = Number(time.seconds) * 1000 + Math.round((time.nanos ?? 0) / 1e6);
  }
  return found;
}
