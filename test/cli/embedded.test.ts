import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { storedFiles } from '../helpers/tmp.js';
import { closedGate } from './closed-gate.js';
import { killGroup, runCli, startCli } from './cli-process.js';
import { serversOf, site } from './site.js';

describe('model-prefetch, embedded', () => {
  it('brings a model, says that it waits, and finds it again without a byte from the CDN', async () => {
    const { hub, env } = await site();
    const first = await runCli(['hf-model', 'org/tiny'], env);
    expect(first.stderr).toMatch(/^Embedded.* waits for the result/);
    expect(first.stderr).toContain('Published: org/tiny at ');
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^file:\/\/\/.*\/tiny\/[0-9a-f]{40}\/\n$/) as string,
    });
    const files = await readdir(fileURLToPath(first.stdout.trim()), { recursive: true });
    expect(files.sort()).toEqual(expect.arrayContaining(['config.json', 'model.safetensors', 'sub/a.txt']));

    const fetched = hub.requests.filter(({ origin }) => origin === 'cdn').length;
    const second = await runCli(['hf-model', 'org/tiny', '--output', 'json', '--wait'], env);
    expect(JSON.parse(second.stdout)).toMatchObject({ path: first.stdout.trim(), repo: 'org/tiny', fileCount: 3 });
    expect(second.stderr).toContain('nothing to fetch');
    expect(hub.requests.filter(({ origin }) => origin === 'cdn')).toHaveLength(fetched);

    expect((await runCli(['result', 'org/tiny'], env)).stdout).toBe(first.stdout);
    const status = await runCli(['status', 'org/tiny', '--output', 'json'], env);
    expect(JSON.parse(status.stdout)).toMatchObject({ status: 'completed', dir: { path: first.stdout.trim() } });
    expect(await runCli(['cancel', 'org/tiny'], env)).toMatchObject({ code: 0, stdout: '' });
    expect(await serversOf(env.MODEL_PREFETCH_HOME)).toEqual([]);
  });

  it('shows in a plan what is missing, writing nothing, and afterwards that all is there', async () => {
    const { env } = await site();
    const before = await runCli(['plan', 'org/tiny', '--output', 'json'], env);
    expect(JSON.parse(before.stdout)).toMatchObject({ repo: 'org/tiny', fileCount: 3, verifiedBytes: 0 });
    await expect(readdir(env.MODEL_PREFETCH_HOME)).rejects.toThrow('ENOENT');
    const { stdout } = await runCli(['hf-model', 'org/tiny'], env);
    const after = await runCli(['plan', 'org/tiny'], env);
    expect(after.stdout).toContain(stdout.trim());
    expect(after.stdout).toContain('nothing to do');
  });

  it('brings a dataset, named as on its page', async () => {
    const { env } = await site();
    const dataset = await runCli(['hf-model', 'https://huggingface.co/datasets/org/tiny', '--output', 'json'], env);
    const dir = JSON.parse(dataset.stdout) as { path: string };
    expect(dir).toMatchObject({ repo: 'datasets/org/tiny', revision: 'main', fileCount: 1 });
    expect(await readFile(fileURLToPath(new URL('data/train.csv', dir.path)), 'utf8')).toBe('a,b\n');
    const id = await runCli(['id', 'org/tiny', '--repo-type', 'dataset'], env);
    expect(id.stdout).toMatch(/^prefetch\/datasets\/org\/tiny@main\/[0-9a-f]{12}\n$/);
  });

  it('finds the token that hf auth login stored, and asks without one where the user wants no such token', async () => {
    const { hub, env } = await site(undefined, { hf_of_login: { name: 'me' } });
    hub.setAccess('org/tiny', { private: true });
    await mkdir(env.MODEL_PREFETCH_HOME, { mode: 0o700 });
    await writeFile(join(env.MODEL_PREFETCH_HOME, 'token'), 'hf_of_login\n');
    const login = { ...env, HF_HUB_DISABLE_IMPLICIT_TOKEN: '', HF_HOME: env.MODEL_PREFETCH_HOME };
    expect(await runCli(['plan', 'org/tiny'], login)).toMatchObject({ code: 0 });
    expect(hub.requests.every(({ hadAuthorization }) => hadAuthorization)).toBe(true);
    const without = await runCli(['plan', 'org/tiny'], { ...login, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' });
    expect(without).toMatchObject({ code: 1, stderr: expect.stringMatching(/^RepoNotFound: /) as string });
  });

  it.each([
    ['a repo that is not there', ['org/absent'], {}, 'RepoNotFound'],
    ['a revision that is not there', ['org/tiny', '--revision', 'v9'], {}, 'RevisionNotFound'],
    ['a token that the Hub does not know', ['org/tiny'], { HF_TOKEN: 'hf_unknown' }, 'InvalidToken'],
    ['a secret that is not allowed', ['org/tiny', '--hf-token-key', 'AWS_SECRET'], {}, 'TokenNotAllowed'],
  ])('ends %s with code 1, an empty stdout and the code on stderr', async (_case, args, extra, code) => {
    const { env } = await site();
    const run = await runCli(['hf-model', ...args, '--output', 'json'], { ...env, ...extra });
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr.trim().split('\n').at(-1)).toMatch(new RegExp(`^${code}: `));
    expect(run.stderr).not.toMatch(/^ {4}at /m);
  });

  it('refuses a model that engine native does not know by name before any byte moves', async () => {
    const { hub, env } = await site();
    const run = await runCli(['hf-model', 'org/tiny', '--shard-config', join(import.meta.dirname, 'shard.yaml')], env);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(/^UnsupportedSharding: .*names no architecture/m);
    expect(hub.requests.filter(({ origin }) => origin === 'cdn')).toEqual([]);
    expect(await storedFiles(join(env.MODEL_PREFETCH_HOME, 'store'))).toEqual([]);
  });

  it('stops on Ctrl-C with code 130, is seen by a second process until then, and goes on afterwards', async () => {
    const gate = closedGate();
    const { env } = await site(gate.intercept);
    const run = await startCli(['hf-model', 'org/tiny'], env);
    await gate.reached;

    const status = await runCli(['status', 'org/tiny', '--output', 'json'], env);
    expect(JSON.parse(status.stdout)).toMatchObject({ status: 'running', progress: { phase: 'transfer' } });

    killGroup(run.child, 'SIGINT');
    const { code, stdout, stderr } = await run.ended;
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
    expect(stderr).toContain('the same command goes on from there');
    expect(await serversOf(env.MODEL_PREFETCH_HOME)).toEqual([]);
    expect((await runCli(['status', 'org/tiny'], env)).stdout).toMatch(/Status +terminated/);

    gate.open();
    expect(await runCli(['hf-model', 'org/tiny'], env)).toMatchObject({ code: 0 });
  });

  it('goes on at once after kill -9, and ends the server that was left behind', async () => {
    const gate = closedGate();
    const { env } = await site(gate.intercept);
    const run = await startCli(['hf-model', 'org/tiny'], env);
    await gate.reached;
    killGroup(run.child, 'SIGKILL');
    await run.ended;
    gate.open();
    expect(await runCli(['hf-model', 'org/tiny'], env)).toMatchObject({ code: 0 });
    expect(await serversOf(env.MODEL_PREFETCH_HOME)).toEqual([]);
  });
});
