import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { tmpFolder } from '../helpers/tmp.js';
import { runCli } from './cli-process.js';

const BAD_CONVERTER = 'data:text/javascript,export default { failureConverterPath: "/nowhere/x.cjs" }';

describe('model-prefetch, before anything starts', () => {
  it.each([
    [['hf-model', 'org/m', '--store', 'ftp://x'], {}, '--store: "ftp://x/" has the scheme ftp://'],
    [['hf-model'], {}, 'REPO'],
    [['hf-model', 'org/m', '--frobnicate'], {}, '--frobnicate'],
    [['hf-model', 'org/m', '--artifact-name', 'a/b'], {}, '--artifact-name'],
    [['hf-model', 'org/m', '--shard-config', '/absent.yaml'], {}, '--shard-config /absent.yaml'],
    [['hf-model', 'org/m', '--store', 'nowhere'], {}, '--store'],
    [['hf-model', 'org/m'], { MODEL_PREFETCH_PART_SIZE: 'big' }, 'MODEL_PREFETCH_PART_SIZE'],
    [['hf-model', 'org/m'], { HF_ENDPOINT: 'hub.example' }, 'HF_ENDPOINT'],
    [['hf-model', 'org/m'], { TEMPORAL_PROFILE: 'absent' }, 'TEMPORAL_PROFILE'],
    [['hf-model', 'org/m'], { TEMPORAL_CONFIG_FILE: '/absent.toml' }, 'TEMPORAL_CONFIG_FILE'],
    [['hf-model', 'org/m', '--store', '/models'], { TEMPORAL_ADDRESS: '127.0.0.1:1' }, '--raw-data-path'],
    [['worker', '--roles', 'gpu', '--gpu', 'many'], {}, '--gpu: expected MODEL:COUNT'],
    [['worker', '--gpu', 'A100:4'], {}, '--gpu: it is for the role gpu'],
    [['worker', '--roles', 'main,shard', '--gpu', 'A100:4'], {}, 'add --roles gpu'],
    [
      ['worker'],
      { MODEL_PREFETCH_DATA_CONVERTER: BAD_CONVERTER },
      'failureConverterPath that cannot be loaded: /nowhere/x.cjs',
    ],
    [['dev-hub', '/absent-folder'], {}, '/absent-folder'],
  ])('ends %j (%j) with code 2, an empty stdout and InvalidInput on one line', async (args, env, text) => {
    const home = join(await tmpFolder(), 'home');
    const { code, stdout, stderr } = await runCli(args, { MODEL_PREFETCH_HOME: home, ...env });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^InvalidInput: .*\n$/);
    expect(stderr).toContain(text);
    await expect(readdir(home)).rejects.toThrow('ENOENT');
  });

  it('prints the version and the help on stdout, without a folder or a server', async () => {
    const home = join(await tmpFolder(), 'home');
    const manifest: unknown = JSON.parse(await readFile(join(import.meta.dirname, '../../package.json'), 'utf8'));
    const version = await runCli(['--version'], { MODEL_PREFETCH_HOME: home });
    expect(manifest).toMatchObject({ version: version.stdout.trim() });
    const help = await runCli(['hf-model', '--help'], { MODEL_PREFETCH_HOME: home });
    expect(help).toMatchObject({ code: 0, stderr: '' });
    expect(help.stdout).toContain('--raw-data-path <url>');
    await expect(readdir(home)).rejects.toThrow('ENOENT');
  });

  it('prints the same workflow ID for the same request, in every version', async () => {
    const { code, stdout, stderr } = await runCli(['id', 'org/tiny', '--gpu', 'L4:2', '--hf-token-key', 'HF_TOKEN_A']);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'prefetch/org/tiny@main/b1e11eb6e04c\n', stderr: '' });
    const other = await runCli(['id', 'org/tiny', '--force', '1', '--output', 'json']);
    expect(JSON.parse(other.stdout)).toEqual({ workflowId: expect.not.stringContaining('b1e11eb6e04c') as string });
  });

  it.each([
    ['hf-model', 'hf_aTokenThatMustNeverBeSeen', {}],
    ['hf-model', 'Bearer must-never-be-seen', {}],
    ['plan', 'hf_aTokenThatMustNeverBeSeen', {}],
    ['id', 'hf_aTokenThatMustNeverBeSeen', {}],
    ['status', 'an_inHouseTokenThatMustNeverBeSeen', { HF_TOKEN: 'an_inHouseTokenThatMustNeverBeSeen' }],
  ])('refuses %s with the token itself for its name, without printing it: %s', async (command, token, env) => {
    const home = join(await tmpFolder(), 'home');
    for (const more of [[], ['--verbose']]) {
      const args = [command, 'org/m', '--hf-token-key', token, ...more];
      const { code, stdout, stderr } = await runCli(args, { MODEL_PREFETCH_HOME: home, ...env });
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain('InvalidInput: --hf-token-key: expected the NAME of a secret');
      expect(stderr).not.toMatch(/seen/i);
    }
    await expect(readdir(home)).rejects.toThrow('ENOENT');
  });

  it('does not show a token of a broken token file', async () => {
    const file = join(await tmpFolder(), 'tokens.json');
    for (const content of ['{"hf_secret": {"nam": "me"}}', '{"hf_secret": ']) {
      await writeFile(file, content);
      const { code, stdout, stderr } = await runCli(['dev-hub', '.', '--token-file', file]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain(`--token-file ${file}`);
      expect(stderr).not.toContain('hf_secret');
    }
  });
});

describe('model-prefetch, for what a person sees', () => {
  it('warns once of a variable that is none, on stderr, and goes on', async () => {
    const run = await runCli(['id', 'org/tiny'], { MODEL_PREFETCH_STOER: 's3://b' });
    expect(run).toMatchObject({ code: 0, stdout: 'prefetch/org/tiny@main/b1e11eb6e04c\n' });
    expect(run.stderr).toBe(
      'Warning: the variable MODEL_PREFETCH_STOER is unknown, and ignored. Did you mean MODEL_PREFETCH_STORE?\n'
    );
    const quiet = await runCli(['id', 'org/tiny', '--quiet'], { MODEL_PREFETCH_STOER: 's3://b' });
    expect(quiet).toMatchObject({ code: 0, stderr: '' });
  });

  it('gives up after --timeout, with a code and exit code 1, also with --quiet', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    onTestFinished(() => {
      silent.closeAllConnections();
      silent.close();
    });
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const env = { HF_ENDPOINT: `http://127.0.0.1:${String(port)}`, MODEL_PREFETCH_HOME: await tmpFolder() };
    const run = await runCli(['plan', 'org/tiny', '--timeout', '1s', '-q'], env);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(/^TimedOut: not done after 1 s, as long as --timeout says/);
  });
});
