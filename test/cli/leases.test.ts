import type { ChildProcess } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { closedGate } from './closed-gate.js';
import { killGroup, startCli, type CliProcess } from './cli-process.js';
import { serversOf, site, type Site } from './site.js';

/** A supervisor looks each second; the machine may be busy. */
const SECONDS_MS = 8_000;

describe('the embedded server', () => {
  it('ends within seconds of kill -9 of its command, with nobody there to end it', async () => {
    const { run, env, open } = await standingRun();
    killGroup(run.child, 'SIGKILL');
    await run.ended;
    await until(async () => (await serversOf(env.MODEL_PREFETCH_HOME)).length === 0);
    open();
  });

  it('lives on for a second command of its home, until that one ends too', async () => {
    const [{ run, env, open }, other] = await Promise.all([standingRun(), standingRun()]);
    const second = await startCli(['result', 'org/tiny'], env);
    await until(async () => (await readdir(join(env.MODEL_PREFETCH_HOME, 'leases'))).length === 2);
    // It must not notice that nobody works any more while it is looked at.
    second.child.kill('SIGSTOP');
    for (const killed of [run, other.run]) killGroup(killed.child, 'SIGKILL');
    // When the other home's server is gone, this one's lease has been looked at as well.
    await until(async () => (await serversOf(other.env.MODEL_PREFETCH_HOME)).length === 0);
    expect(await serversOf(env.MODEL_PREFETCH_HOME)).toHaveLength(2);

    second.child.kill('SIGCONT');
    const { code, stdout, stderr } = await second.ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^NoWorkers: .*Run hf-model again/m);
    await until(async () => (await serversOf(env.MODEL_PREFETCH_HOME)).length === 0);
    for (const gate of [open, other.open]) gate();
  });

  it('is not left behind by a command that is killed while it starts, at whatever moment', async () => {
    for (const moment of [0, 1, 2]) {
      const { env } = await site();
      const run = await startCli(['hf-model', 'org/tiny'], env);
      const home = env.MODEL_PREFETCH_HOME;
      // The lease, the supervisor, the server.
      await until(async () => (await readdir(join(home, 'leases')).catch(() => [])).length > 0, run.child);
      await until(async () => (await serversOf(home)).length >= moment, run.child);
      killGroup(run.child, 'SIGKILL');
      await run.ended;
      await until(async () => (await serversOf(home)).length === 0);
    }
  });
});

/** A command whose transfer stands still. */
async function standingRun(): Promise<Pick<Site, 'env'> & { readonly run: CliProcess; readonly open: () => void }> {
  const gate = closedGate();
  const { env } = await site(gate.intercept);
  const run = await startCli(['hf-model', 'org/tiny'], env);
  await gate.reached;
  return { run, env, open: gate.open };
}

async function until(condition: () => Promise<boolean>, alive?: ChildProcess): Promise<void> {
  const deadline = Date.now() + (alive === undefined ? SECONDS_MS : 30_000);
  while (!(await condition())) {
    if (Date.now() > deadline || (alive !== undefined && alive.exitCode !== null)) throw new Error('waited in vain');
    await delay(20);
  }
}
