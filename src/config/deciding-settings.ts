import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import type { PrefetchInput } from '../core/contract.js';
import { embeddedStore, type Settings } from './environment.js';
import { readLoginToken, readToken } from './secrets.js';

type Environment = Readonly<Record<string, string | undefined>>;
type Asked = Pick<PrefetchInput, 'hfTokenKey' | 'rawDataPath' | 'shardConfig'>;

const PROXIES = ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'];
const TRUST = ['NODE_EXTRA_CA_CERTS', 'NODE_TLS_REJECT_UNAUTHORIZED', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];
/** Of all that is called AWS_*, these change neither a bucket nor who asks for it. */
const AWS_ASIDE = /^AWS_(?:SDK_|PAGER$|EXECUTION_ENV$|CLI_|MAX_ATTEMPTS$|RETRY_MODE$)/;

/**
 * What decides where the model of an input comes from, with whose rights, and where it goes: by the names that a person
 * would change. Two processes that have all of it alike may share a run. Secrets are among the values.
 */
export async function decidingSettings(
  settings: Settings,
  asked: Asked,
  environment: Environment = process.env
): Promise<Record<string, string>> {
  const { hfTokenKey, rawDataPath, shardConfig } = asked;
  const root = rawDataPath ?? embeddedStore(settings);
  const given: [string, string | undefined][] = [
    // Where the input names a place, the store of the process is not asked.
    ...(rawDataPath === undefined ? [pair('MODEL_PREFETCH_STORE (--store)', root)] : []),
    pair('HF_ENDPOINT', settings.hubEndpoint),
    pair(hfTokenKey ?? 'HF_TOKEN', await tokenOf(settings, hfTokenKey, environment)),
    ...PROXIES.map((name) => pair(name.toUpperCase(), environment[name] ?? environment[name.toUpperCase()])),
    ...TRUST.map((name) => pair(name, environment[name])),
    ...(root.startsWith('file:') ? [] : settingsOfS3(environment)),
    ...(shardConfig === undefined || shardConfig.engine === 'native'
      ? []
      : [pair('MODEL_PREFETCH_PYTHON', onPath(settings))]),
  ];
  return Object.fromEntries(given.flatMap(([name, value]) => (value ? [[name, value]] : [])));
}

function pair(name: string, value: string | undefined): [string, string | undefined] {
  return [name, value?.trim()];
}

/** The token itself, wherever it was found; where none can be had, why. */
async function tokenOf(
  settings: Settings,
  key: string | undefined,
  environment: Environment
): Promise<string | undefined> {
  try {
    return (await readToken(key, settings, environment)) ?? (await readLoginToken(environment));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function settingsOfS3(environment: Environment): [string, string | undefined][] {
  const names = Object.keys(environment).filter(
    (name) => (name.startsWith('AWS_') && !AWS_ASIDE.test(name)) || name.startsWith('MODEL_PREFETCH_S3_')
  );
  // Where profiles and keys lie, unless variables say otherwise.
  return ['HOME', ...names].map((name) => pair(name, environment[name]));
}

/** The interpreter by its path, for each terminal may have another PATH. */
function onPath({ python, searchPath }: Settings): string {
  if (isAbsolute(python)) return python;
  const paths = searchPath.split(delimiter).map((folder) => join(folder, python));
  return paths.find(isExecutable) ?? python;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
