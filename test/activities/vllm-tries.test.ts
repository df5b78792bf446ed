import { MockActivityEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { adapt } from '../../src/activities/adapt.js';
import type { StepOptions } from '../../src/steps/shards/step-context.js';
import { withVllmTries } from '../../src/activities/vllm-tries.js';
import type { ShardStepResult } from '../../src/core/contract.js';
import { PrefetchError } from '../../src/core/errors.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { failure } from '../helpers/transfer-setup.js';

const server = useTemporalServer();

type Work = (options: StepOptions) => Promise<ShardStepResult>;
const step = (work: Work) => adapt((signal) => withVllmTries(signal, work));
const fail = (code: 'VllmFailed' | 'InsufficientResources') => () =>
  Promise.reject(new PrefetchError(code, 'it was so'));

/** An attempt after others of which the server kept these details, and the details that it leaves. */
async function attempt(work: Work, heartbeatDetails?: unknown) {
  const environment = new MockActivityEnvironment({ attempt: 17, heartbeatDetails });
  let left: unknown = heartbeatDetails;
  environment.on('heartbeat', (details: unknown) => {
    left = details;
  });
  const error = await failure(environment.run(step, work));
  return { error, left };
}

describe('a step of vLLM', () => {
  test('is given up when vLLM failed for the third time, whatever happened between', async () => {
    let left: unknown;
    const seen: unknown[] = [];
    for (const code of [
      'InsufficientResources',
      'VllmFailed',
      'InsufficientResources',
      'VllmFailed',
      'VllmFailed',
    ] as const) {
      const ended = await attempt(fail(code), left);
      seen.push(ended.error);
      left = ended.left;
    }
    expect(seen).toMatchObject([
      { type: 'InsufficientResources', nonRetryable: false },
      { type: 'VllmFailed', nonRetryable: false },
      { type: 'InsufficientResources', nonRetryable: false },
      { type: 'VllmFailed', nonRetryable: false },
      { type: 'VllmFailed', nonRetryable: true },
    ]);
  });

  test('keeps the count while it works, so that a worker that is lost then loses nothing of it', async () => {
    const lost: Work = ({ onProgress }) => {
      onProgress({ bytesDone: 7, current: 'vLLM loads' });
      return Promise.reject(new PrefetchError('StoreUnavailable', 'lost'));
    };
    const { left } = await attempt(lost, { bytesDone: 0, current: '', vllmFailures: 2 });
    expect(left).toEqual({ bytesDone: 7, current: 'vLLM loads', vllmFailures: 2 });
  });

  test('takes what an earlier version left for no failure', async () => {
    const { error } = await attempt(fail('VllmFailed'), { bytesDone: 5, current: 'vLLM saves' });
    expect(error).toMatchObject({ type: 'VllmFailed', nonRetryable: false });
  });

  test('is counted by a server too, which hands on what a failed attempt left', async () => {
    const { nativeConnection, client } = server();
    let attempts = 0;
    const worker = await Worker.create({
      connection: nativeConnection,
      taskQueue: 'vllm-tries',
      workflowsPath: fileURLToPath(new URL('./retried-workflow.ts', import.meta.url)),
      activities: { step: () => step(fail(attempts++ % 2 === 0 ? 'InsufficientResources' : 'VllmFailed')) },
    });
    const run = client.workflow.execute('retried', { taskQueue: 'vllm-tries', workflowId: 'vllm-tries' });
    const error = await worker.runUntil(failure(run));
    expect(error).toMatchObject({ cause: { cause: { type: 'VllmFailed', nonRetryable: true } } });
    expect(attempts).toBe(6);
  });

  test('fails by itself before the server would begin it anew', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const endless: Work = ({ signal }) =>
      new Promise((_done, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      });
    const ended = attempt(endless);
    await vi.runAllTimersAsync();
    expect((await ended).error).toMatchObject({ type: 'VllmFailed', nonRetryable: false });
  });
});
