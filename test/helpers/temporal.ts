import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { afterAll, beforeAll } from 'vitest';

/**
 * Starts one real dev server (in memory, on 127.0.0.1, a free port) for the tests of a file.
 * Call it at the top of the file; the returned function gives the environment inside tests.
 */
export function useTemporalServer(): () => TestWorkflowEnvironment {
  let environment: TestWorkflowEnvironment | undefined;
  beforeAll(async () => {
    environment = await startTemporalServer();
  });
  afterAll(async () => {
    await environment?.teardown();
  });
  return () => {
    if (environment === undefined) throw new Error('The Temporal server is there inside tests only.');
    return environment;
  };
}

/** Starts one real dev server; the caller ends it with `teardown()`. */
export async function startTemporalServer(): Promise<TestWorkflowEnvironment> {
  quietRuntime();
  return TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: temporalCliPath() },
      ip: '127.0.0.1',
      log: { format: 'pretty', level: 'error' },
    },
  });
}

/** Path of the Temporal CLI that `npm test` found. */
export function temporalCliPath(): string {
  const path = process.env['TEMPORAL_CLI_PATH'];
  if (!path)
    throw new Error('TEMPORAL_CLI_PATH is not set: run the tests with `npm test -- PATH`, which gets the CLI.');
  return path;
}

let installed = false;

/** The SDK takes one runtime a process; its default one prints every worker state. */
function quietRuntime(): void {
  if (installed) return;
  Runtime.install({
    logger: new DefaultLogger('WARN'),
    telemetryOptions: { logging: { forward: {}, filter: 'error' } },
  });
  installed = true;
}
