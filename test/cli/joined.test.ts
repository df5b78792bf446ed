import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { installEarlierRelease } from '../helpers/earlier-release.js';
import { tmpFolder } from '../helpers/tmp.js';
import { closedGate } from './closed-gate.js';
import { killGroup, runCli, startCli } from './cli-process.js';
import { serversOf, site } from './site.js';

/** Another run and another Dir of the same repo. */
const OTHER = ['hf-model', 'org/tiny', '--include', '*.safetensors'];

describe('a second hf-model in one home', () => {
  it('waits for the same model, and brings it when the first is killed', async () => {
    const { env, gate, first } = await standing();
    const others = await Promise.all([1, 2].map(() => startCli(['hf-model', 'org/tiny'], env)));
    await Promise.all(others.map((each) => each.said(`process ${String(first.child.pid)} brings this model already`)));
    killGroup(first.child, 'SIGKILL');
    // One of them begins it anew, and the other one waits for that one.
    await Promise.any(others.map((each) => each.said('goes on here')));
    gate.open();
    const ended = await Promise.all(others.map((each) => each.ended));
    for (const { code, stdout, stderr } of ended) {
      expect({ code, stdout }, stderr).toEqual({
        code: 0,
        stdout: expect.stringMatching(/^file:.*\/tiny\//) as string,
      });
    }
    expect(new Set(ended.map(({ stdout }) => stdout)).size).toBe(1);
    await expectNothingLeft(env.MODEL_PREFETCH_HOME);
  });

  it('brings another model beside it, outlives it, and a later one goes on with what it left', async () => {
    const { env, gate, first } = await standing();
    const other = await startCli(OTHER, env);
    await other.said('Transferring');
    const result = await startCli(['result', 'org/tiny'], env);
    await result.said('Transferring');
    killGroup(first.child, 'SIGINT');
    expect(await first.ended).toMatchObject({ code: 130, stdout: '' });

    expect(await result.ended).toMatchObject({ code: 1, stderr: expect.stringMatching(/^NoWorkers: /m) as string });
    expect((await runCli(['status', 'org/tiny'], env)).stdout).toMatch(/Status +running, but nobody works on it/);
    const status = await runCli(['status', 'org/tiny', '--output', 'json'], env);
    expect(JSON.parse(status.stdout)).toMatchObject({ status: 'running', abandoned: true });

    const again = await startCli(['hf-model', 'org/tiny'], env);
    await again.said('Transferring');
    gate.open();
    const [brought, goneOn] = await Promise.all([other.ended, again.ended]);
    expect(brought, brought.stderr).toMatchObject({ code: 0 });
    expect(goneOn, goneOn.stderr).toMatchObject({ code: 0 });
    await expectNothingLeft(env.MODEL_PREFETCH_HOME);
  });

  it('is refused the same model with other settings, by their names alone, and brings another one with them', async () => {
    const { env, gate, first } = await standing({ HF_TOKEN: 'hf_one' });
    const store = `${pathToFileURL(await tmpFolder()).href}/`;
    const different = [
      ['HF_TOKEN', [], { HF_TOKEN: 'hf_two' }],
      [String.raw`MODEL_PREFETCH_STORE \(--store\)`, ['--store', store], {}],
      ['HTTPS_PROXY', [], { https_proxy: 'http://me:pass@127.0.0.1:9' }],
    ] as const;
    const refused = different.map(async ([names, args, extra]) => {
      const run = await runCli(['hf-model', 'org/tiny', ...args], { ...env, HF_TOKEN: 'hf_one', ...extra });
      expect(run).toMatchObject({ code: 1, stdout: '' });
      expect(run.stderr).toMatch(new RegExp(`^HomeBusy: .*${String(first.child.pid)}.*: ${names}\\. Wait`, 'm'));
      expect(run.stderr).toMatch(/MODEL_PREFETCH_HOME .*MODEL_PREFETCH_STORE/);
      expect(run.stderr).not.toMatch(/hf_two|hf_one|pass/);
    });
    await Promise.all(refused);
    const other = await startCli([...OTHER, '--store', store], { ...env, HF_TOKEN: 'hf_two' });
    await other.said('Transferring');
    gate.open();
    expect(await other.ended).toMatchObject({ code: 0, stdout: expect.stringContaining(store) as string });
    expect(await first.ended).toMatchObject({ code: 0 });
  });

  it('may begin at the same moment as others, in a home that is not there yet', async () => {
    const { env } = await site();
    const models = [['org/tiny'], ['org/tiny'], ['datasets/org/tiny'], ['org/tiny', '--include', '*.json']];
    const runs = await Promise.all(models.map((args) => runCli(['hf-model', ...args], env)));
    for (const run of runs) expect(run, run.stderr).toMatchObject({ code: 0 });
    await expectNothingLeft(env.MODEL_PREFETCH_HOME);
  });

  it('is kept out by a command of release 0.1.0, and keeps it out while any command lives', async () => {
    const main = await installEarlierRelease(await tmpFolder());
    const gate = closedGate();
    const { env } = await site(gate.intercept);
    const old = await startCli(['hf-model', 'org/tiny'], env, main);
    await gate.reached;
    const refused = await runCli(OTHER, env);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(new RegExp(`^HomeBusy: .*${String(old.child.pid)} .*earlier release`, 'm'));
    killGroup(old.child, 'SIGKILL');
    await old.ended;

    const first = await startCli(['hf-model', 'org/tiny'], env);
    await first.said('Transferring');
    const second = await startCli(OTHER, env);
    await second.said('Transferring');
    killGroup(first.child, 'SIGKILL');
    await first.ended;
    // The one who started the server is gone; the home is nobody's to take all the same.
    const late = await startCli(['hf-model', 'org/tiny'], env, main);
    expect(await late.ended).toMatchObject({ code: 1, stderr: expect.stringMatching(/HomeBusy/) as string });
    gate.open();
    expect(await second.ended).toMatchObject({ code: 0 });
    expect(await serversOf(env.MODEL_PREFETCH_HOME)).toEqual([]);
  });
});

/** A command whose transfer stands still. */
async function standing(extra: Readonly<Record<string, string>> = {}) {
  const gate = closedGate();
  const { env } = await site(gate.intercept, { hf_one: { name: 'one' }, hf_two: { name: 'two' } });
  const first = await startCli(['hf-model', 'org/tiny'], { ...env, ...extra });
  await gate.reached;
  return { env, gate, first };
}

async function expectNothingLeft(home: string): Promise<void> {
  expect(await serversOf(home)).toEqual([]);
  for (const folder of ['leases', 'lock', 'runs', 'gate']) expect(await readdir(join(home, folder))).toEqual([]);
}
