import { execFile } from 'node:child_process';
import { expect } from 'vitest';
import type { Dir } from '../../src/core/contract.js';
import { temporalCliPath } from './temporal.js';

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real Temporal CLI against one server. */
export interface TemporalCli {
  run(args: readonly string[], options?: { readonly timeoutMs?: number }): Promise<Ended>;
  /** Starts a prefetch as the README says, and gives the ID of the run. */
  start(request: {
    readonly workflowId: string;
    readonly taskQueue: string;
    readonly input?: string | undefined;
  }): Promise<string>;
  /** Waits for the Dir of a run. */
  result(workflowId: string): Promise<Dir>;
}

export function temporalCli(address: string): TemporalCli {
  const cli: TemporalCli = {
    run: async (args, { timeoutMs = 60_000 } = {}) => {
      const command = await temporalCliPath();
      const options = { timeout: timeoutMs };
      return new Promise((resolve) => {
        execFile(command, [...args, '--address', address, '--color', 'never'], options, (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
        });
      });
    },
    start: async ({ workflowId, taskQueue, input }) => {
      const { code, stdout, stderr } = await cli.run([
        ...['workflow', 'start', '--type', 'prefetchModel', '--task-queue', taskQueue, '--output', 'json'],
        ...['--workflow-id', workflowId, '--id-conflict-policy', 'UseExisting'],
        ...(input === undefined ? [] : ['--input', input]),
      ]);
      expect(code, stderr).toBe(0);
      const { runId } = JSON.parse(stdout) as { runId: string };
      expect(runId).toMatch(/^[0-9a-f-]{36}$/);
      return runId;
    },
    result: async (workflowId) => {
      const ended = await cli.run(['workflow', 'result', '--workflow-id', workflowId, '--output', 'json']);
      expect(ended.code, ended.stdout + ended.stderr).toBe(0);
      return (JSON.parse(ended.stdout) as { result: Dir }).result;
    },
  };
  return cli;
}
