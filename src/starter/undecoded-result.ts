import type { Client } from '@temporalio/client';
import { judgeCodecFailure } from '../core/codec-failures.js';
import { isErrorCode, PrefetchError } from '../core/errors.js';
import { foreignText } from '../core/foreign-text.js';
import { resultNotDecodedText } from '../core/undecoded.js';
import { encodedFailure } from './from-failure.js';

const CALL_MS = 10_000;
const CLOSE_EVENT = 2;

/**
 * What a run ended with, where this client's data converter cannot read it: a codec may throw anything, so the last event is
 * asked for as it is. Undefined where the run has not ended, and so the error was another one.
 */
export async function notDecodedHere(
  client: Client,
  error: unknown,
  workflowId: string
): Promise<PrefetchError | undefined> {
  const last = await lastEvent(client, workflowId).catch(() => undefined);
  const failure = last?.workflowExecutionFailedEventAttributes?.failure;
  const type = failure?.applicationFailureInfo?.type;
  if (isErrorCode(type)) return encodedFailure(type, { workflowId });
  const result = last?.workflowExecutionCompletedEventAttributes?.result;
  if (!failure && !result) return undefined;
  const encoding = result?.payloads?.[0]?.metadata?.['encoding'];
  const undecoded = {
    encoding: encoding ? foreignText(new TextDecoder().decode(encoding), 60) : 'unknown',
    reason: foreignText(error instanceof Error ? error.message : String(error)),
    hasConverter: client.options.loadedDataConverter.payloadCodecs.length > 0,
  };
  return new PrefetchError('ResultNotDecoded', resultNotDecodedText(`The result of ${workflowId}`, undecoded), {
    details: { workflowId },
  });
}

/** Whether a run has ended, and what it ended with can be read later: the key service of the codec is away for now. */
export async function isReadLater(client: Client, error: unknown, workflowId: string): Promise<boolean> {
  if (judgeCodecFailure(error) !== 'passing') return false;
  const last = await lastEvent(client, workflowId).catch(() => undefined);
  return Boolean(
    last?.workflowExecutionFailedEventAttributes?.failure ?? last?.workflowExecutionCompletedEventAttributes?.result
  );
}

async function lastEvent(client: Client, workflowId: string) {
  const request = {
    namespace: client.options.namespace,
    execution: { workflowId },
    historyEventFilterType: CLOSE_EVENT,
    skipArchival: true,
  };
  const { history } = await client.withDeadline(Date.now() + CALL_MS, () =>
    // The enum of filters lives in a package that is no dependency of ours.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
    client.workflowService.getWorkflowExecutionHistory(request)
  );
  return history?.events?.at(-1);
}
