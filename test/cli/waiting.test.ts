import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startDevHub, type Intercept } from '../../src/dev-hub/index.js';
import { hubFaults, serverError } from '../helpers/hub-faults.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { tmpFolder } from '../helpers/tmp.js';
import { closedGate } from './closed-gate.js';
import { killGroup, runCli, startCli, type CliProcess } from './cli-process.js';

const server = useTemporalServer();

// Each test has runs of its own: one that is left without a worker would be joined by the next.
describe('a run that waits', () => {
  it('says who paused a step and how it goes on, not that it is tried again', async () => {
    const gate = closedGate();
    const env = await cluster(gate.intercept);
    await startWorker(env);
    const { stdout } = await runCli(['hf-model', 'org/tiny', '--force', '1'], env);
    const workflowId = stdout.trim();
    await gate.reached;
    await pause(workflowId, 'batch-0');
    const json = await runCli(['status', workflowId, '--output', 'json'], env);
    const command = `temporal activity unpause --workflow-id ${workflowId} --activity-id batch-0`;
    expect(JSON.parse(json.stdout)).toMatchObject({
      progress: {
        waiting: {
          activity: 'streamFiles',
          reason: 'paused',
          message: 'paused by alice: the network is needed',
          command,
        },
      },
    });
    const text = (await runCli(['status', workflowId], env)).stdout;
    expect(text).toContain('streamFiles: paused by alice: the network is needed; it goes on once it is unpaused');
    expect(text).toContain(command);
    expect(text).not.toContain('tried again');
    gate.open();
  });

  it('says when the next try is, which host failed, and which variable to check', async () => {
    const faults = hubFaults();
    faults.inject(serverError(503), { origin: 'hub', first: 1000 });
    const env = await cluster(faults.intercept);
    await startWorker(env);
    const waiter = await startCli(['hf-model', 'org/tiny', '--force', '2', '--wait'], env);
    await waiter.said(
      /authenticate: .*tried again .*\(attempt \d+\).* HubUnavailable: .*127\.0\.0\.1:\d+.*HF_ENDPOINT/
    );
    // The first tries follow one another so quickly that a status may come while one is under way.
    for (let nextTryAt: unknown; nextTryAt === undefined;) {
      const { stdout } = await runCli(['status', 'org/tiny', '--force', '2', '--output', 'json'], env);
      const status = JSON.parse(stdout) as { progress?: { waiting?: { nextTryAt?: string; reason: string } } };
      expect(status.progress?.waiting?.reason).toBe('failed');
      nextTryAt = status.progress?.waiting?.nextTryAt;
    }
    faults.clear();
    killGroup(waiter.child, 'SIGINT');
    expect((await waiter.ended).code).toBe(130);
  });

  it('says which queue no worker polls, of a step and of the whole run', async () => {
    const env = await cluster(() => undefined);
    const main = await startWorker(env, ['--roles', 'main']);
    const waiter = await startCli(['hf-model', 'org/tiny', '--force', '3', '--wait'], env);
    const queue = env['MODEL_PREFETCH_TASK_QUEUE'] ?? '';
    await waiter.said(`streamFiles: no worker polls the task queue "${queue}-transfer"`);
    const status = await runCli(['status', 'org/tiny', '--force', '3'], env);
    expect(status.stdout).toContain('model-prefetch worker --roles transfer');
    killGroup(main.child, 'SIGKILL');
    killGroup(waiter.child, 'SIGINT');
    expect((await waiter.ended).code).toBe(130);
  });
});

describe('several models at once, on a cluster', () => {
  it('starts each, prints an ID a line in the order given, and takes the same one once', async () => {
    const env = await cluster(() => undefined);
    await startWorker(env);
    const started = await runCli(['hf-model', '--force', '4', 'org/tiny', 'org/other', 'org/tiny'], env);
    expect(started.code).toBe(0);
    expect(
      started.stdout
        .trim()
        .split('\n')
        .map((id) => id.split('@')[0])
    ).toEqual(['prefetch/org/tiny', 'prefetch/org/other']);
  });

  it('goes on with the others where one fails, prints what is published, and exits 1', async () => {
    const env = await cluster(() => undefined);
    await startWorker(env);
    const run = await runCli(
      ['hf-model', '--force', '5', 'org/other', 'org/absent', 'org/tiny', '--wait', '--output', 'json'],
      env
    );
    expect(run.code).toBe(1);
    expect((JSON.parse(run.stdout) as { repo: string }[]).map(({ repo }) => repo)).toEqual(['org/other', 'org/tiny']);
    expect(run.stderr).toMatch(/^org\/absent: RepoNotFound: /m);
    expect(run.stderr).toMatch(/^org\/tiny: /m);
    expect(run.stderr.trim().split('\n').at(-1)).toMatch(/^RepoNotFound: 1 of 3 were not brought.*org\/absent$/);
    expect(run.stderr).not.toMatch(/\p{Cc}(?<!\n)/u);
  });
});

async function cluster(intercept: Intercept): Promise<Record<string, string>> {
  const folder = await tmpFolder();
  const files = { 'model.safetensors': { size: 4 * 1024 * 1024, seed: 'weights' } };
  const repos = ['org/tiny', 'org/other'].map((id) => ({ id, commits: [{ files }] }));
  const hub = await startDevHub({ repos, intercept });
  onTestFinished(() => hub.close());
  return {
    TEMPORAL_ADDRESS: server().address,
    HF_ENDPOINT: hub.url,
    MODEL_PREFETCH_STORE: pathToFileURL(join(folder, 'store')).href,
    MODEL_PREFETCH_SHARED_FILES: 'true',
    MODEL_PREFETCH_TASK_QUEUE: `queue-${folder.slice(-6)}`,
  };
}

async function startWorker(env: Record<string, string>, args: readonly string[] = []): Promise<CliProcess> {
  const worker = await startCli(['worker', ...args], env);
  onTestFinished(() => {
    if (worker.child.exitCode === null && worker.child.signalCode === null) killGroup(worker.child, 'SIGKILL');
  });
  // Only once it polls may a run be started.
  for (;;) {
    const request = {
      namespace: 'default',
      taskQueue: { name: env['MODEL_PREFETCH_TASK_QUEUE'] ?? '' },
      taskQueueType: 1,
    };
    // The enum of queue types lives in a package that is no dependency of ours.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
    const { pollers } = await server().client.workflowService.describeTaskQueue(request);
    if (pollers.length > 0) return worker;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function pause(workflowId: string, id: string): Promise<void> {
  const { client } = server();
  const execution = { workflowId };
  const request = { namespace: 'default', execution, identity: 'alice', id, reason: 'the network is needed' };
  await client.workflowService.pauseActivity(request);
}
