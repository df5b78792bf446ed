import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { afterAll, beforeAll } from 'vitest';
import { readSettings } from '../../src/config/environment.js';
import { findTemporalCli } from '../../src/embedded/temporal-cli.js';

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
      executable: { type: 'existing-path', path: await temporalCliPath() },
      ip: '127.0.0.1',
      log: { format: 'pretty', level: 'error' },
    },
  });
}

/** Path of the Temporal CLI: the one that `npm test` found, else what a user of the package would get. */
export async function temporalCliPath(): Promise<string> {
  const { cacheFolder, temporalCliPath: cliPath } = readSettings();
  return findTemporalCli({ cliPath, searchPath: process.env['PATH'], cacheFolder });
}

let installed = false;

/** The SDK takes one runtime a process; its default one prints every worker state. */
function quietRuntime(): void {
  if (installed) return;
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { forward: {}, filter: 'error' } },
  });
  installed = true;
}
