import type { BundlerPlugin, WorkerOptions, WorkerPlugin } from '@temporalio/worker';
import { checkedConverter } from './checked-converter.js';

/** The workflow code of a worker, as its options name it; empty for one that runs activities only. */
export type WorkflowSource = Pick<WorkerOptions, 'workflowBundle'> | Pick<WorkerOptions, 'workflowsPath'>;

/**
 * The last plugin of each worker, after those of users: it has the converter that they agreed on checked, and gives every
 * role its own workflow code back, for a plugin with workflows of its own puts these in their place.
 */
export function finishingPlugin(
  source: WorkflowSource,
  { check }: { readonly check: boolean }
): WorkerPlugin & BundlerPlugin {
  return {
    name: 'temporal-model-prefetch/worker',
    configureWorker: (options) => ({
      ...withoutWorkflows(options),
      ...source,
      ...(check ? { dataConverter: checkedConverter(options.dataConverter) } : {}),
    }),
    configureBundler: (options) => ('workflowsPath' in source ? { ...options, ...source } : options),
  };
}

/** Has the converter of a worker that somebody else makes checked: what it cannot decode ends a run, by name. */
export const checkingPlugin: WorkerPlugin = {
  name: 'temporal-model-prefetch/check',
  configureWorker: (options) => ({ ...options, dataConverter: checkedConverter(options.dataConverter) }),
};

function withoutWorkflows(options: WorkerOptions): WorkerOptions {
  const others = { ...options };
  delete others.workflowsPath;
  delete others.workflowBundle;
  return others;
}
