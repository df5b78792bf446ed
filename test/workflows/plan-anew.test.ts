import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { isPrefetchError } from '../../src/core/errors.js';
import { changed, outcome, published, spec, useToldWorkflow } from './told-workflow.js';

const runWorkflow = useToldWorkflow();

test('plans anew when something else changed the Dir under a run', async () => {
  const calls: string[] = [];
  const dir = await runWorkflow({
    planPrefetch: () => {
      calls.push('plan');
      return Promise.resolve(outcome);
    },
    streamFiles: ({ batch }) => {
      calls.push(`batch ${String(batch)}`);
      return calls.length < 5 ? Promise.reject(changed()) : Promise.resolve({ files: 1, bytes: 1, fetchedBytes: 1 });
    },
  });
  expect(dir.artifactName).toBe('model');
  expect(calls).toEqual(['plan', 'batch 0', 'plan', 'batch 0', 'plan', 'batch 0']);
});

test('gives up in the end when something else goes on changing the Dir', async () => {
  let plans = 0;
  const failed = await runWorkflow({
    planPrefetch: () => {
      plans++;
      return Promise.resolve(outcome);
    },
    publishDir: () => Promise.reject(changed()),
  }).catch((error: unknown) => error);
  expect(isPrefetchError(failed, 'ObjectChanged'), String(failed)).toBe(true);
  expect(plans).toBe(4);
});

test('gives a batch what it needs and no more, for history keeps it every time', async () => {
  const seen: unknown[] = [];
  await runWorkflow({
    streamFiles: (request) => {
      seen.push(request.spec);
      return Promise.resolve({ files: 1, bytes: 1, fetchedBytes: 1 });
    },
  });
  const { repo, commit, destination, dirKey } = spec;
  expect(seen).toEqual([{ repo, commit, destination, dirKey }]);
});

test('takes no state of an earlier run from a caller', async () => {
  const seen: unknown[] = [];
  const foreign = { version: 1, spec: { ...spec, destination: 'file:///etc/' }, plan: outcome.plan, nextBatch: 0 };
  for (const second of [foreign, 5]) {
    await runWorkflow(
      {
        streamFiles: (request) => {
          seen.push(request.spec.destination);
          return Promise.resolve({ files: 1, bytes: 1, fetchedBytes: 1 });
        },
      },
      second
    );
  }
  expect(seen).toEqual([spec.destination, spec.destination]);
});

test('serves a good Dir as it was where what it lacks cannot be had, but not one that something else changes', async () => {
  const completing = { ...outcome, plan: { ...outcome.plan, served: published } };
  const refused = ApplicationFailure.nonRetryable('GatedRepo: one file is refused', 'GatedRepo');
  const planPrefetch = () => Promise.resolve(completing);
  const streamFiles = () => Promise.reject(refused);
  expect(await runWorkflow({ planPrefetch, streamFiles })).toEqual(published);
  await expect(runWorkflow({ streamFiles })).rejects.toThrow(/^GatedRepo/);
  await expect(runWorkflow({ planPrefetch, publishDir: () => Promise.reject(changed()) })).rejects.toThrow(
    /^ObjectChanged/
  );
});

describe('a good Dir that is completed', () => {
  const completing = { ...outcome, plan: { ...outcome.plan, served: published } };
  const planPrefetch = () => Promise.resolve(completing);
  const away = (nextRetryDelay: '1ms' | '2h') =>
    ApplicationFailure.create({ message: 'HubUnavailable: 503', type: 'HubUnavailable', nextRetryDelay });

  test.each(['streamFiles', 'publishDir'] as const)(
    'is served after a few tries where %s goes on failing',
    async (step) => {
      let tries = 0;
      const fail = () => {
        tries++;
        return Promise.reject(away('1ms'));
      };
      expect(await runWorkflow({ planPrefetch, [step]: fail })).toEqual(published);
      expect(tries).toBe(5);
    }
  );

  test('is served at once where the next try is hours away', async () => {
    expect(await runWorkflow({ planPrefetch, streamFiles: () => Promise.reject(away('2h')) })).toEqual(published);
  });
});
