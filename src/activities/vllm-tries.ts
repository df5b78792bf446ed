import { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { ShardProgress, ShardStepResult } from '../core/contract.js';
import { isPrefetchError, PrefetchError } from '../core/errors.js';
import type { StepOptions } from '../steps/shards/step-context.js';
import { withHeartbeat } from './heartbeat.js';

/** What vLLM fails on may pass, as a lost GPU does; what it fails on again and again would only keep a GPU busy. */
const TRIES = 3;
const TIDY_UP_MS = 10 * 60_000;

/**
 * Runs vLLM under a heartbeat and gives it up for good when it fails for the third time. The number of the attempt does not
 * say that: hosts that lack something and workers that were lost count there too. So failures are counted in the heartbeat,
 * which the next attempt gets, on whatever host.
 */
export async function withVllmTries(
  signal: AbortSignal,
  work: (options: StepOptions) => Promise<ShardStepResult>
): Promise<ShardStepResult> {
  const { info } = Context.current();
  const failures = failuresIn(info.heartbeatDetails);
  const note = (progress: ShardProgress, vllmFailures = failures) => ({ ...progress, vllmFailures });
  const starting = { bytesDone: 0, current: 'looking at what is there' };
  const limit = beforeTimeout(info.startToCloseTimeoutMs);
  return withHeartbeat(async (report) => {
    try {
      return await work({
        signal: AbortSignal.any([signal, limit.signal]),
        onProgress: (progress) => {
          report(note(progress));
        },
      });
    } catch (error) {
      if (!isPrefetchError(error, 'VllmFailed')) throw error;
      report(note(starting, failures + 1));
      throw failures + 1 < TRIES ? error : failedForGood(error);
    } finally {
      limit.stop();
    }
  }, note(starting));
}

function failedForGood({ code, message, details }: PrefetchError): ApplicationFailure {
  const category = ApplicationFailureCategory.BENIGN;
  return ApplicationFailure.create({ type: code, message, details: [details], nonRetryable: true, category });
}

function failuresIn(details: unknown): number {
  if (typeof details !== 'object' || details === null || !('vllmFailures' in details)) return 0;
  return Number.isSafeInteger(details.vllmFailures) ? Number(details.vllmFailures) : 0;
}

/** The server would end an attempt without a word and begin another one, without end: so it fails by itself before. */
function beforeTimeout(timeoutMs: number): { readonly signal: AbortSignal; stop(): void } {
  const late = new AbortController();
  const limitMs = Math.max(timeoutMs / 2, timeoutMs - TIDY_UP_MS);
  const timer = setTimeout(() => {
    const text = `vLLM, with what was fetched before and uploaded after it, was not done within ${String(Math.round(limitMs / 60_000))} minutes`;
    late.abort(new PrefetchError('VllmFailed', text, { details: { kind: 'too-long' } }));
  }, limitMs);
  return {
    signal: late.signal,
    stop: () => {
      clearTimeout(timer);
    },
  };
}
