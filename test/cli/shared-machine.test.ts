import { chmod, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readServer } from '../../src/embedded/server-record.js';
import { modelSpec } from '../helpers/spec.js';
import { storedFiles, tmpFolder } from '../helpers/tmp.js';
import { closedGate } from './closed-gate.js';
import { runCli, startCli } from './cli-process.js';
import { serversOf, site } from './site.js';

const SCHEDULE_ACTIVITY = 1;
const QUEUE = 'model-prefetch';

describe('the embedded mode on a shared machine', () => {
  it('refuses what a stranger starts over the loopback port, writes nothing for it, and ends the own run', async () => {
    const gate = closedGate();
    const { env } = await site(gate.intercept);
    const run = await startCli(['hf-model', 'org/tiny'], env);
    await gate.reached;
    const client = await stranger(env.MODEL_PREFETCH_HOME);
    const loot = join(await tmpFolder(), 'owners-folder');
    await mkdir(loot);

    const input = { repo: 'org/tiny', rawDataPath: pathToFileURL(loot).href, include: ['config.json'] };
    const handle = await client.workflow.start('prefetchModel', { workflowId: 'x', taskQueue: QUEUE, args: [input] });
    // The gate holds the bytes back, so that without a refusal this would wait: the plan in the folder is what tells.
    const written = async () => (await storedFiles(loot)).length > 0;
    const ended = handle.result().catch((error: unknown) => error);
    expect(await firstOf(ended, written)).toMatchObject({
      cause: { type: 'DestinationNotAllowed', nonRetryable: true },
    });

    const step = await scheduleStep(client, 'planPrefetch', {
      ...modelSpec(`${input.rawDataPath}/`),
      repo: 'org/tiny',
    });
    expect(step).toContain('DestinationNotAllowed');
    expect(await storedFiles(loot)).toEqual([]);

    gate.open();
    expect(await run.ended).toMatchObject({ code: 0 });
  });

  it('keeps home, database, log, record and key from others, and secrets from the server and its supervisor', async () => {
    const gate = closedGate();
    const { env } = await site(gate.intercept);
    const secrets = { HF_TOKEN_TEAM: 'hf_secret1', AWS_SECRET_ACCESS_KEY: 'secret2', MY_OWN: 'secret3' };
    const run = await startCli(['hf-model', 'org/tiny'], { ...env, ...secrets });
    await gate.reached;
    const pids = await serversOf(env.MODEL_PREFETCH_HOME);
    expect(pids).toHaveLength(2);
    for (const pid of process.platform === 'linux' ? pids : []) {
      const environment = await readFile(`/proc/${String(pid)}/environ`, 'utf8');
      const names = environment.split('\0').map((each) => each.replace(/=.*/s, ''));
      expect(['PATH', 'HOME', 'TMPDIR', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', '']).toEqual(expect.arrayContaining(names));
      expect(await readFile(`/proc/${String(pid)}/cmdline`, 'utf8')).not.toMatch(/secret\d/);
    }
    await expectPrivate(env.MODEL_PREFETCH_HOME);
    gate.open();
    expect(await run.ended).toMatchObject({ code: 0 });
    await expectPrivate(env.MODEL_PREFETCH_HOME);
  });

  it.each(['hf-model', 'status'])(
    'refuses a home that is a folder for everybody, and leaves it alone: %s',
    async (name) => {
      const { env } = await site();
      const home = await tmpFolder();
      await chmod(home, 0o1777);
      const run = await runCli([name, 'org/tiny'], { ...env, MODEL_PREFETCH_HOME: home });
      expect(run).toMatchObject({ code: 2, stdout: '' });
      expect(run.stderr).toMatch(/^InvalidInput: MODEL_PREFETCH_HOME: .*for everybody/m);
      expect((await stat(home)).mode & 0o7777).toBe(0o1777);
      expect(await readdir(home)).toEqual([]);
    }
  );
});

/** All but the store, which its owner may open to others. */
async function expectPrivate(home: string): Promise<void> {
  const entries = (await readdir(home, { recursive: true, withFileTypes: true }))
    .map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
    .filter(({ path }) => !path.startsWith(join(home, 'store')));
  expect(entries.map(({ entry }) => entry.name)).toEqual(expect.arrayContaining(['temporal.db', 'temporal.db.log']));
  for (const { entry, path } of [...entries, { entry: await stat(home), path: home }]) {
    const mode = await stat(path).then(
      ({ mode }) => (mode & 0o777).toString(8),
      () => undefined
    );
    // A lease or a journal may be gone by now.
    if (mode !== undefined) expect({ path, mode }).toEqual({ path, mode: entry.isDirectory() ? '700' : '600' });
  }
}

/** What another user of the machine can do: the port is found by trying. */
async function stranger(home: string): Promise<Client> {
  const record = await readServer(home);
  const connection = await Connection.connect({ address: record?.address ?? '' });
  onTestFinished(() => connection.close());
  return new Client({ connection });
}

/** Resolves with the end of the run, or with nothing once the condition holds. */
async function firstOf(ended: Promise<unknown>, condition: () => Promise<boolean>): Promise<unknown> {
  let over = false;
  const end = ended.finally(() => (over = true));
  const watch = async () => {
    while (!over && !(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
    return over ? end : undefined;
  };
  return Promise.race([end, watch()]);
}

/** Schedules a step on the queue of the worker, from a run of another queue that nobody but the stranger works on. */
async function scheduleStep(client: Client, activity: string, argument: unknown): Promise<string> {
  const { workflowService } = client;
  const taskQueue = { name: 'strangers-own' };
  await client.workflow.start('anything', { workflowId: 'y', taskQueue: taskQueue.name });
  const poll = () =>
    client.withDeadline(Date.now() + 30_000, () =>
      workflowService.pollWorkflowTaskQueue({ namespace: 'default', taskQueue, identity: 'stranger' })
    );
  const { taskToken } = await poll();
  const payloads = [defaultPayloadConverter.toPayload<unknown>(argument)];
  await workflowService.respondWorkflowTaskCompleted({
    namespace: 'default',
    taskToken,
    commands: [
      {
        // The enum lives in a package that is no dependency of ours.
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
        commandType: SCHEDULE_ACTIVITY,
        scheduleActivityTaskCommandAttributes: {
          activityId: '1',
          activityType: { name: activity },
          taskQueue: { name: QUEUE },
          input: { payloads },
          scheduleToCloseTimeout: { seconds: 60 as never },
          retryPolicy: { maximumAttempts: 1 },
        },
      },
    ],
  });
  const { history } = await poll();
  const outcome = history?.events?.map(({ activityTaskFailedEventAttributes: failed }) => failed?.failure?.message);
  return outcome?.find((message) => message !== undefined && message !== null) ?? 'it was done';
}
