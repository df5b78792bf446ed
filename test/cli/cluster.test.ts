import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startDevHub, type Intercept } from '../../src/dev-hub/index.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { tmpFolder } from '../helpers/tmp.js';
import { closedGate } from './closed-gate.js';
import { killGroup, runCli, startCli } from './cli-process.js';

const server = useTemporalServer();

describe('model-prefetch, on a cluster', () => {
  it('says that no worker polls the queue, and starts nothing', async () => {
    const env = { TEMPORAL_ADDRESS: server().address, MODEL_PREFETCH_TASK_QUEUE: 'nobody' };
    const run = await runCli(['hf-model', 'org/lonely', '--wait'], env);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(/^NoWorkers: No worker polls the task queue "nobody"/);
    const result = await runCli(['result', 'org/lonely'], env);
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toMatch(/^WorkflowNotFound: .*prefetch\/org\/lonely@main/);
  });

  it('names the address of a server that is not there', async () => {
    for (const command of ['hf-model', 'status', 'worker']) {
      const args = command === 'worker' ? [command] : [command, 'org/tiny'];
      const run = await runCli(args, { TEMPORAL_ADDRESS: '127.0.0.1:1', MODEL_PREFETCH_STORE: 's3://bucket' });
      expect(run).toMatchObject({ code: 1, stdout: '' });
      expect(run.stderr).toMatch(/^ServerUnavailable: .*127\.0\.0\.1:1/m);
    }
  });

  it('gives up on a server that takes the connection and says nothing', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    onTestFinished(() => void silent.close());
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const run = await runCli(['status', 'org/tiny'], { TEMPORAL_ADDRESS: `127.0.0.1:${String(port)}` });
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(/^ServerUnavailable: /);
  });

  it('starts a run and prints its ID, waits with --wait, and leaves the run going on Ctrl-C', async () => {
    const gate = closedGate();
    const env = await cluster(gate.intercept);
    const started = await runCli(['hf-model', 'org/tiny'], env);
    expect(started).toMatchObject({ code: 0, stdout: 'prefetch/org/tiny@main/b1e11eb6e04c\n' });
    expect(started.stderr).toContain('model-prefetch result prefetch/org/tiny@main/b1e11eb6e04c');
    await gate.reached;

    const waiter = await startCli(['hf-model', 'org/tiny', '--wait'], env);
    await waiter.said('Transferring');
    killGroup(waiter.child, 'SIGINT');
    const { code, stdout, stderr } = await waiter.ended;
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
    expect(stderr).toContain('The run goes on');
    const status = await runCli(['status', started.stdout.trim(), '--output', 'json'], env);
    expect(JSON.parse(status.stdout)).toMatchObject({ status: 'running', progress: { phase: 'transfer' } });

    gate.open();
    const result = await runCli(['result', 'org/tiny', '--output', 'json'], env);
    expect(result.code).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({ repo: 'org/tiny', fileCount: 1 });
  });

  it('ends a worker by itself, as done, once it was idle for as long as --exit-when-idle says', async () => {
    const env = { TEMPORAL_ADDRESS: server().address, MODEL_PREFETCH_STORE: 's3://bucket' };
    const run = await runCli(['worker', '--roles', 'wait', '--exit-when-idle', '1s'], env);
    expect(run).toMatchObject({ code: 0, stdout: '' });
    expect(run.stderr).toContain('Polling model-prefetch-wait');
  });

  it('finds a run by its own ID without an @, and by REPO@REVISION, but no workflow of others by a guess', async () => {
    const { client, address } = server();
    const env = { TEMPORAL_ADDRESS: address };
    const start = (workflowId: string, type = 'prefetchModel') =>
      client.workflow.start(type, { workflowId, taskQueue: 'nobody', args: [{ repo: 'o/n' }] });
    await start('nightly-llama');
    await start('foreign-work', 'somethingElse');
    const own = await runCli(['status', 'nightly-llama', '--json'], env);
    expect(JSON.parse(own.stdout)).toMatchObject({ workflowId: 'nightly-llama', status: 'running' });
    const id = (await runCli(['id', 'o/n@v1'], env)).stdout.trim();
    await start(id);
    const run = await runCli(['cancel', 'o/n@v1', '--json'], env);
    expect(JSON.parse(run.stdout)).toMatchObject({ workflowId: id, cancelRequested: true });
    const foreign = await runCli(['cancel', 'foreign-work'], env);
    expect(foreign).toMatchObject({ code: 1, stdout: '' });
    expect(foreign.stderr).toMatch(/^WorkflowNotFound: .*foreign-work@main.*--workflow-id/);
    const asked = await runCli(['cancel', '--workflow-id', 'foreign-work', '--json'], env);
    expect(JSON.parse(asked.stdout)).toMatchObject({ workflowId: 'foreign-work', cancelRequested: true });
    const waited = await runCli(['result', '-w', 'nightly-llama', '--timeout', '1s'], env);
    expect(waited).toMatchObject({ code: 1, stdout: '' });
    expect(waited.stderr).toContain('TimedOut: ');
    expect(waited.stderr).toContain('The run goes on');
  });

  it('ends a worker that could only fail its tasks, before it takes any', async () => {
    const env = {
      TEMPORAL_ADDRESS: server().address,
      MODEL_PREFETCH_STORE: 'gs://bucket',
      HF_ENDPOINT: 'http://127.0.0.1:9',
    };
    const run = await runCli(['worker', '--roles', 'shard'], env);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(/^UnsupportedStore: MODEL_PREFETCH_STORE /m);
    expect(run.stderr).not.toContain('Polling');
    const nowhere = await runCli(['worker'], { ...env, TEMPORAL_NAMESPACE: 'nope' });
    expect(nowhere).toMatchObject({ code: 1 });
    expect(nowhere.stderr).toMatch(/^NamespaceNotFound: .*"nope"/m);
  });

  it('tells all in JSON where the log is JSON, what ends the worker and unknown variables too', async () => {
    const env = {
      TEMPORAL_ADDRESS: server().address,
      MODEL_PREFETCH_STORE: 'gs://bucket',
      MODEL_PREFETCH_LOG: 'json',
      MODEL_PREFETCH_STOER: 'x',
    };
    const run = await runCli(['worker', '--roles', 'shard'], env);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    const lines = run.stderr.trim().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
      expect.objectContaining({ level: 'warn', message: expect.stringContaining('MODEL_PREFETCH_STOER') as string }),
      expect.objectContaining({ level: 'error', code: 'UnsupportedStore' }),
    ]);
  });

  it('stops a worker in the middle of its checks, at once and as done', async () => {
    const store = pathToFileURL(await tmpFolder()).href;
    const env = {
      TEMPORAL_ADDRESS: server().address,
      MODEL_PREFETCH_STORE: store,
      MODEL_PREFETCH_SHARED_FILES: 'true',
    };
    const worker = await startCli(['worker', '--log', 'json'], { ...env, HF_ENDPOINT: 'http://127.0.0.1:9' });
    await worker.said('tried again for');
    killGroup(worker.child, 'SIGTERM');
    const { code, stdout, stderr } = await worker.ended;
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    const messages = stderr
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { message: string }).message);
    expect(messages.at(-1)).toBe('Stopped before it took any work');
  });

  it('skips the checks of a worker when told to', async () => {
    const env = { TEMPORAL_ADDRESS: server().address, MODEL_PREFETCH_STORE: 'gs://bucket' };
    const run = await runCli(['worker', '--roles', 'shard', '--skip-checks', '--exit-when-idle', '1s'], env);
    expect(run).toMatchObject({ code: 0, stdout: '' });
    expect(run.stderr).toContain('Polling model-prefetch-shard');
  });

  it('has nothing but errors in the log of a worker that is to be quiet, unless a level is named', async () => {
    const env = { TEMPORAL_ADDRESS: server().address, MODEL_PREFETCH_STORE: 'gs://bucket' };
    const args = ['worker', '-q', '--roles', 'shard', '--skip-checks', '--exit-when-idle', '1s'];
    expect(await runCli(args, env)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await runCli([...args, '--log-level', 'info'], env)).stderr).toContain('Polling model-prefetch-shard');
  });

  it.each([
    ['client', 'configureClient: () => { throw new Error("not today"); }'],
    ['worker', 'configureWorker: () => { throw new Error("not today"); }'],
  ])('ends a worker process whose %s cannot be made', async (_what, hook) => {
    const plugin = join(await tmpFolder(), 'plugin.mjs');
    await writeFile(plugin, `export default { name: 'mine', ${hook} };`);
    const env = {
      TEMPORAL_ADDRESS: server().address,
      MODEL_PREFETCH_STORE: 'gs://bucket',
      MODEL_PREFETCH_PLUGINS: plugin,
    };
    const worker = await startCli(['--skip-checks'], env, join(import.meta.dirname, '../../dist/worker-main.js'));
    // One that hangs ignores SIGTERM.
    const killing = setTimeout(() => {
      killGroup(worker.child, 'SIGKILL');
    }, 15_000);
    const { code, stderr } = await worker.ended;
    clearTimeout(killing);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Internal: not today[^\n]*\n$/);
  });

  it('cancels a run, whose waiter is told so', async () => {
    const gate = closedGate();
    const env = await cluster(gate.intercept);
    const waiter = await startCli(['hf-model', 'org/tiny', '--wait', '--force', '1'], env);
    await gate.reached;
    const cancel = await runCli(['cancel', 'org/tiny', '--force', '1', '--output', 'json'], env);
    expect(JSON.parse(cancel.stdout)).toMatchObject({ cancelRequested: true });
    const { code, stdout, stderr } = await waiter.ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^Cancelled: /m);
  });
});

/** A worker process of its own queue, with a Hub and a store; ends with the test. */
async function cluster(intercept: Intercept): Promise<Record<string, string>> {
  const folder = await tmpFolder();
  const files = { 'model.safetensors': { size: 4 * 1024 * 1024, seed: 'weights' } };
  const hub = await startDevHub({ repos: [{ id: 'org/tiny', commits: [{ files }] }], intercept });
  onTestFinished(() => hub.close());
  const env = {
    TEMPORAL_ADDRESS: server().address,
    HF_ENDPOINT: hub.url,
    MODEL_PREFETCH_STORE: pathToFileURL(join(folder, 'store')).href,
    MODEL_PREFETCH_SHARED_FILES: 'true',
    MODEL_PREFETCH_TASK_QUEUE: `queue-${folder.slice(-6)}`,
  };
  const worker = await startCli(['worker'], env);
  onTestFinished(async () => {
    killGroup(worker.child, 'SIGKILL');
    await worker.ended;
  });
  await pollersThere(env.MODEL_PREFETCH_TASK_QUEUE);
  return env;
}

async function pollersThere(taskQueue: string): Promise<void> {
  const { client } = server();
  for (const name of [taskQueue, `${taskQueue}-transfer`]) {
    const taskQueueType = name === taskQueue ? 1 : 2;
    for (;;) {
      const request = { namespace: 'default', taskQueue: { name }, taskQueueType };
      // The enum of queue types lives in a package that is no dependency of ours.
      // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
      const { pollers } = await client.workflowService.describeTaskQueue(request);
      if (pollers.length > 0) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
