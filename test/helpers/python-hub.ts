import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { access, constants, mkdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const HUGGINGFACE_HUB_VERSION = '2.4.0';
const BUILD_MS = 300_000;

export interface PythonHub {
  /** Path of the official command-line client. */
  readonly hf: string;
  readonly python: string;
}

let found: Promise<PythonHub | undefined> | undefined;

/**
 * The official Python client in a virtual environment of its own, made once per machine.
 * Without Python: `undefined` and one loud line, or a failure where `CI=true`.
 */
export function pythonHub(): Promise<PythonHub | undefined> {
  found ??= findOrBuild().catch((error: unknown) => {
    const reason = (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
    const text =
      `NOT TESTED against the official Python client: install Python 3.10 or newer with venv and pip ` +
      `(Debian: apt-get install python3-venv), or run once with a network. ${reason}`;
    if (process.env['CI'] === 'true') throw new Error(text);
    console.warn(text);
    return undefined;
  });
  return found;
}

/** What a child of the tests gets as its environment: this Hub, this home, no telemetry, no xet. */
export function pythonHubEnvironment(options: { url: string; home: string; token?: string }): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(?:HF_|HUGGING|XDG_|PYTHON)/.test(name));
  return {
    ...Object.fromEntries(inherited),
    HF_ENDPOINT: options.url,
    HF_HOME: options.home,
    HF_HUB_DISABLE_XET: '1',
    HF_HUB_DISABLE_TELEMETRY: '1',
    HF_HUB_DISABLE_UPDATE_CHECK: '1',
    DO_NOT_TRACK: '1',
    NO_PROXY: '127.0.0.1',
    no_proxy: '127.0.0.1',
    ...(options.token === undefined ? {} : { HF_TOKEN: options.token }),
  };
}

async function findOrBuild(): Promise<PythonHub> {
  const cache =
    process.env['MODEL_PREFETCH_TEST_CACHE'] ??
    join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'model-prefetch');
  const shelf = join(cache, `python-hub-${HUGGINGFACE_HUB_VERSION}`);
  const current = join(shelf, 'current');
  return (await usable(current)) ?? (await build(shelf, current));
}

/** Two builds at once do not meet: each has its own folder, and the link to the first that is ready decides. */
async function build(shelf: string, current: string): Promise<PythonHub> {
  const name = `venv-${randomUUID()}`;
  const folder = join(shelf, name);
  await mkdir(shelf, { recursive: true });
  try {
    await run(await findPython(), ['-m', 'venv', folder], { timeout: BUILD_MS });
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
    const packages = [`huggingface_hub==${HUGGINGFACE_HUB_VERSION}`];
    await run(join(folder, 'bin', 'python'), [...pip, ...packages], { timeout: BUILD_MS });
    const other = await publish(name, { folder, current });
    const hub = (await usable(other ?? current)) ?? (await usable(folder));
    if (hub === undefined) throw new Error(`pip made no bin/hf in ${folder}`);
    if (other !== undefined) await rm(folder, { recursive: true, force: true });
    return hub;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Says whose build is the one to use when it is not ours. */
async function publish(name: string, { folder, current }: { folder: string; current: string }) {
  try {
    await symlink(name, current);
    return undefined;
  } catch {
    if ((await usable(current)) !== undefined) return current;
    // A link to a build whose Python has gone away.
    await symlink(name, `${folder}.link`);
    await rename(`${folder}.link`, current);
    return undefined;
  }
}

async function usable(place: string): Promise<PythonHub | undefined> {
  try {
    // The scripts in it name the folder that it was made in.
    const target = await readlink(place).catch(() => undefined);
    const folder = target === undefined ? place : join(place, '..', target);
    const hub = { hf: join(folder, 'bin', 'hf'), python: join(folder, 'bin', 'python') };
    await access(hub.hf, constants.X_OK);
    await access(hub.python, constants.X_OK);
    return hub;
  } catch {
    return undefined;
  }
}

async function findPython(): Promise<string> {
  for (const name of ['python3', 'python']) {
    const works = await run(name, ['-c', 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))']).then(
      () => true,
      () => false
    );
    if (works) return name;
  }
  throw new Error('No such Python was found.');
}
