import { ApplicationFailure } from '@temporalio/common';
import { bundleWorkflowCode, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { beforeAll } from 'vitest';
import type { Dir, PlanOutcome, PrefetchActivities, ShardActivities } from '../../src/core/contract.js';
import { WORKFLOW_TYPE } from '../../src/core/contract.js';
import { awaitPrefetch } from '../../src/starter/await-prefetch.js';
import { modelSpec } from '../helpers/spec.js';
import { useTemporalServer } from '../helpers/temporal.js';

export const spec = modelSpec('file:///models/');

/** A plan of one batch. */
export const outcome: Extract<PlanOutcome, { kind: 'fetch' }> = {
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

export const published: Dir = {
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

/** Something else changed the Dir. */
export function changed(): ApplicationFailure {
  return ApplicationFailure.nonRetryable('ObjectChanged: its plan is gone', 'ObjectChanged');
}

/** Activities that a test answers for; the others do well. */
export type Told = Partial<PrefetchActivities & ShardActivities>;

/** Runs the real workflow on a dev server, one of this file unless given, with activities that do as told. */
export function useToldWorkflow(server = useTemporalServer()): (told: Told, ...rest: unknown[]) => Promise<Dir> {
  let workflowBundle: WorkflowBundleWithSourceMap;
  beforeAll(async () => {
    const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
    workflowBundle = await bundleWorkflowCode({ workflowsPath });
  });
  return async (told, ...rest) => {
    const activities: Told = {
      authenticate: () => Promise.resolve(spec),
      planPrefetch: () => Promise.resolve(outcome),
      streamFiles: () => Promise.resolve({ files: 1, bytes: 1, fetchedBytes: 1 }),
      publishDir: () => Promise.resolve(published),
      ...told,
    };
    const { nativeConnection: connection, client } = server();
    const taskQueue = `told-${String(process.hrtime.bigint())}`;
    const main = await Worker.create({ connection, taskQueue, activities, workflowBundle });
    const transfer = await Worker.create({ connection, taskQueue: `${taskQueue}-transfer`, activities });
    const shard = await Worker.create({ connection, taskQueue: `${taskQueue}-shard`, activities });
    const wait = async () => {
      await client.workflow.start(WORKFLOW_TYPE, {
        workflowId: taskQueue,
        taskQueue,
        args: [{ repo: spec.repo }, ...rest],
      });
      return awaitPrefetch(client, taskQueue, { signal: AbortSignal.timeout(50_000) });
    };
    return shard.runUntil(transfer.runUntil(main.runUntil(wait)));
  };
}
