import { availableParallelism, homedir, totalmem } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { withTrailingSlash } from '../core/identity.js';
import { DEFAULT_TASK_QUEUE } from '../core/queues.js';
import { GiB, MiB } from '../core/units.js';
import { parseByteSize } from './byte-size.js';
import { parseDuration } from './duration.js';
import { invalid } from './invalid-variable.js';
import { readS3Settings, type S3Settings } from './s3-settings.js';

/** Everything that the environment decides, read once. Secrets are not in it: they are read by name when needed. */
export interface Settings {
  /** Folder of the embedded mode: database, lock, default store. */
  readonly home: string;
  /** The user's cache folder for tools that are fetched once. */
  readonly cacheFolder: string;
  readonly temporalCliPath?: string;
  /** Folders that programs are looked up in, as PATH has them. */
  readonly searchPath: string;
  readonly taskQueue: string;
  /** Origin of the Hub, without a trailing slash. */
  readonly hubEndpoint: string;
  /** Root of the store, ending in "/"; undefined when MODEL_PREFETCH_STORE is not set. */
  readonly store?: string;
  /** Further roots that a `rawDataPath` may lie under. */
  readonly allowedRoots: readonly string[];
  /** How S3 is written and read, beyond what the AWS environment and profiles say. */
  readonly s3?: S3Settings;
  /** A worker on a cluster takes a `file://` store only when the folder is shared by all workers. */
  readonly fileStoreIsShared: boolean;
  readonly transferMode: 'stream' | 'download-upload';
  readonly partSizeBytes: number;
  readonly lanes: number;
  readonly memoryBytes: number;
  /** Local disk for the download half of `download-upload`, and for what vLLM reads and writes. */
  readonly scratchFolder: string;
  /** The Python interpreter that has vLLM. */
  readonly python: string;
  /** How long vLLM may say nothing new before it is taken for hung. */
  readonly vllmSilenceMs: number;
  /** Names of secrets that an input may ask for; `*` stands for any characters. */
  readonly tokenKeys: readonly string[];
  /** Folders with one file per secret. */
  readonly secretsFolders: readonly string[];
  /** Module with the Temporal data converter of the cluster, where one is named. */
  readonly dataConverter?: string;
  /** Modules with Temporal plugins. @default none */
  readonly plugins?: readonly string[];
  /** Worker Versioning: the deployment and the build of this worker, as the Temporal Worker Controller names them. */
  readonly deploymentName?: string;
  readonly buildId?: string;
}

const MINUTE_MS = 60_000;

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the settings; fails as `InvalidInput` naming the variable that is out of shape. */
export function readSettings(environment: Environment = process.env): Settings {
  const home =
    environment['MODEL_PREFETCH_HOME'] || join(xdg(environment, 'XDG_DATA_HOME', '.local/share'), 'model-prefetch');
  const cacheFolder = join(xdg(environment, 'XDG_CACHE_HOME', '.cache'), 'model-prefetch');
  const store = environment['MODEL_PREFETCH_STORE'];
  const temporalCliPath = environment['TEMPORAL_CLI_PATH'];
  return {
    home,
    cacheFolder,
    ...(temporalCliPath ? { temporalCliPath } : {}),
    searchPath: environment['PATH'] ?? '',
    taskQueue: environment['MODEL_PREFETCH_TASK_QUEUE'] || DEFAULT_TASK_QUEUE,
    hubEndpoint: hubEndpointOf(environment),
    ...(store ? { store: storeRoot('MODEL_PREFETCH_STORE', store) } : {}),
    allowedRoots: list(environment['MODEL_PREFETCH_ALLOWED_ROOTS']).map((root) =>
      storeRoot('MODEL_PREFETCH_ALLOWED_ROOTS', root)
    ),
    s3: readS3Settings(environment),
    fileStoreIsShared: flag(environment, 'MODEL_PREFETCH_SHARED_FILES'),
    transferMode: transferMode(environment['MODEL_PREFETCH_TRANSFER']),
    partSizeBytes: bytes(environment, 'MODEL_PREFETCH_PART_SIZE', { fallback: 8 * MiB, min: 5 * MiB, max: GiB }),
    lanes: count(environment, 'MODEL_PREFETCH_LANES', { fallback: 4, max: 256 }),
    memoryBytes: bytes(environment, 'MODEL_PREFETCH_MEMORY', {
      fallback: defaultMemory(),
      min: 32 * MiB,
      max: 1024 * GiB,
    }),
    scratchFolder: environment['MODEL_PREFETCH_SCRATCH'] || join(cacheFolder, 'scratch'),
    python: environment['MODEL_PREFETCH_PYTHON'] || 'python3',
    vllmSilenceMs: duration(environment, 'MODEL_PREFETCH_VLLM_SILENCE', {
      fallback: 30 * MINUTE_MS,
      max: 24 * 60 * MINUTE_MS,
    }),
    tokenKeys: list(environment['MODEL_PREFETCH_TOKEN_KEYS'] ?? 'HF_TOKEN,HF_TOKEN_*'),
    secretsFolders: ['/run/secrets', ...list(environment['MODEL_PREFETCH_SECRETS_DIR'])],
    ...readExtensions(environment),
  };
}

function readExtensions(
  environment: Environment
): Pick<Settings, 'dataConverter' | 'plugins' | 'deploymentName' | 'buildId'> {
  const dataConverter = environment['MODEL_PREFETCH_DATA_CONVERTER'];
  const plugins = list(environment['MODEL_PREFETCH_PLUGINS']);
  const deploymentName = environment['TEMPORAL_DEPLOYMENT_NAME'];
  const buildId = environment['TEMPORAL_WORKER_BUILD_ID'];
  return {
    ...(dataConverter ? { dataConverter } : {}),
    ...(plugins.length > 0 ? { plugins } : {}),
    ...(deploymentName ? { deploymentName } : {}),
    ...(buildId ? { buildId } : {}),
  };
}

/** What a child process may inherit; whoever starts one takes the few variables that it needs, and no secret. */
export function inheritedEnvironment(): Environment {
  return process.env;
}

/** All that the embedded Temporal server and its supervisor inherit: by name, so that no secret is among it. */
export function serverEnvironment(environment: Environment = process.env): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ'];
  return Object.fromEntries(
    names.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]]))
  );
}

/** The root of the embedded store where none is configured: a folder under the home. */
export function embeddedStore(settings: Settings): string {
  return settings.store ?? withTrailingSlash(pathToFileURL(join(settings.home, 'store')).href);
}

function xdg(environment: Environment, name: string, fallback: string): string {
  const folder = environment[name];
  // The XDG specification says to ignore a relative path.
  return folder?.startsWith('/') ? folder : join(environment['HOME'] || homedir(), fallback);
}

/** The Hub in use, without a slash at the end. */
export function hubEndpointOf(environment: Environment = process.env): string {
  const value = environment['HF_ENDPOINT'] || 'https://huggingface.co';
  if (!/^https?:\/\/[^/?#\s@]+(?:\/[^?#\s]*)?$/.test(value)) {
    throw invalid('HF_ENDPOINT', 'a URL such as "https://huggingface.co", without user or query');
  }
  return value.replace(/\/+$/, '');
}

/** A root may be given as a URL or as an absolute path. */
export function storeRoot(name: string, value: string): string {
  if (value.startsWith('/')) return withTrailingSlash(pathToFileURL(value).href);
  if (!/^[a-z][a-z0-9+.-]*:\/\/./.test(value)) {
    throw invalid(name, 'a URL such as "s3://bucket/models" or an absolute path');
  }
  return withTrailingSlash(value);
}

function transferMode(value: string | undefined): Settings['transferMode'] {
  if (!value || value === 'stream') return 'stream';
  if (value === 'download-upload') return value;
  throw invalid('MODEL_PREFETCH_TRANSFER', '"stream" or "download-upload"');
}

function bytes(environment: Environment, name: string, bounds: { fallback: number; min: number; max: number }): number {
  const value = environment[name];
  if (!value) return bounds.fallback;
  const size = parseByteSize(value);
  if (size === undefined || size < bounds.min || size > bounds.max) {
    throw invalid(name, `a size from ${String(bounds.min / MiB)}MiB to ${String(bounds.max / MiB)}MiB, such as "8MiB"`);
  }
  return size;
}

function count(environment: Environment, name: string, bounds: { fallback: number; max: number }): number {
  const value = environment[name];
  if (!value) return bounds.fallback;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1 || number > bounds.max) {
    throw invalid(name, `a whole number from 1 to ${String(bounds.max)}`);
  }
  return number;
}

function duration(environment: Environment, name: string, bounds: { fallback: number; max: number }): number {
  const value = environment[name];
  if (!value) return bounds.fallback;
  const ms = parseDuration(value);
  if (ms === undefined || ms > bounds.max) {
    throw invalid(name, `a duration of at most ${String(bounds.max / MINUTE_MS / 60)}h, such as "30m"`);
  }
  return ms;
}

function flag(environment: Environment, name: string): boolean {
  const value = environment[name] ?? '';
  if (['', '0', 'false'].includes(value)) return false;
  if (['1', 'true'].includes(value)) return true;
  throw invalid(name, '"true" or "false"');
}

function list(value: string | undefined): string[] {
  return (value ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** An eighth of what the machine (or its container) has, between 128 MiB and 1 GiB. */
function defaultMemory(): number {
  const constrained = process.constrainedMemory();
  const available = constrained > 0 && constrained < totalmem() ? constrained : totalmem();
  return Math.max(128 * MiB, Math.min(GiB, Math.floor(available / 8), availableParallelism() * 128 * MiB));
}
