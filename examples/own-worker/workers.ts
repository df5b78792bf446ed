import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import { createActivities, type Settings } from 'temporal-model-prefetch/activities';

/** Prefetch workers that this program makes itself, with whatever options of the SDK it wants, and their end. */
export async function runOwnWorkers(
  settings: Settings,
  connection: NativeConnection,
  options: Pick<WorkerOptions, 'namespace' | 'dataConverter'> & {
    /** Of the module that re-exports the workflow. */
    readonly workflowsPath: string;
    readonly signal: AbortSignal;
  }
): Promise<void> {
  const { signal, workflowsPath, ...own } = options;
  const { workers, watch, close } = createActivities(settings, { roles: ['main', 'transfer', 'wait'] });
  const made = await Promise.all(
    Object.entries(workers).map(([role, parts]) =>
      Worker.create({ connection, ...own, ...parts, ...(role === 'main' ? { workflowsPath } : {}) })
    )
  );
  const stopWatching = watch(made);
  signal.addEventListener('abort', () => {
    for (const worker of made) worker.shutdown();
  });
  await Promise.all(made.map((worker) => worker.run()));
  stopWatching();
  await close();
}
