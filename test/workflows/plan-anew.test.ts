import { ApplicationFailure } from '@temporalio/common';
import { bundleWorkflowCode, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import type { Dir, PlanOutcome, PrefetchActivities } from '../../src/core/contract.js';
import { WORKFLOW_TYPE } from '../../src/core/contract.js';
import { isPrefetchError } from '../../src/core/errors.js';
import { awaitPrefetch } from '../../src/starter/await-prefetch.js';
import { modelSpec } from '../helpers/spec.js';
import { useTemporalServer } from '../helpers/temporal.js';

const server = useTemporalServer();
let workflowBundle: WorkflowBundleWithSourceMap;

beforeAll(async () => {
  const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
  workflowBundle = await bundleWorkflowCode({ workflowsPath });
});

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

const spec = modelSpec('file:///models/');

const outcome: Extract<PlanOutcome, { kind: 'fetch' }> = {
  kind: 'fetch',
  plan: {
    planId: '0123456789abcdef',
    batchCount: 1,
    fileCount: 1,
    totalBytes: 1,
    fetchFiles: 1,
    fetchBytes: 1,
    copyBytes: 0,
    downloadUpload: false,
  },
};

const published: Dir = {
  path: `file:///models/${spec.dirKey}`,
  artifactName: 'model',
  repo: spec.repo,
  revision: spec.revision,
  commit: spec.commit,
  format: 'huggingface',
  fileCount: 1,
  totalBytes: 1,
  manifestPath: `file:///models/${spec.dirKey}.prefetch/manifest.json`,
  manifestDigest: 'sha256:0',
};

function changed(): ApplicationFailure {
  return ApplicationFailure.nonRetryable('ObjectChanged: its plan is gone', 'ObjectChanged');
}

/** The real workflow, with activities that do as told. */
async function runWorkflow(told: Partial<PrefetchActivities>, ...rest: unknown[]): Promise<Dir> {
  const activities: Omit<PrefetchActivities, 'downloadAndUploadFiles'> = {
    authenticate: () => Promise.resolve(spec),
    planPrefetch: () => Promise.resolve(outcome),
    streamFiles: () => Promise.resolve({ files: 1, bytes: 1, fetchedBytes: 1 }),
    publishDir: () => Promise.resolve(published),
    ...told,
  };
  const { nativeConnection: connection, client } = server();
  const taskQueue = `plan-anew-${String(process.hrtime.bigint())}`;
  const main = await Worker.create({ connection, taskQueue, activities, workflowBundle });
  const transfer = await Worker.create({ connection, taskQueue: `${taskQueue}-transfer`, activities });
  return transfer.runUntil(
    main.runUntil(async () => {
      await client.workflow.start(WORKFLOW_TYPE, {
        workflowId: taskQueue,
        taskQueue,
        args: [{ repo: spec.repo }, ...rest],
      });
      return awaitPrefetch(client, taskQueue, { signal: AbortSignal.timeout(30_000) });
    })
  );
}
