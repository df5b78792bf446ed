import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { PrefetchError } from '../core/errors.js';
import { noteProxySecrets, readProxyUrl } from '../core/proxy-url.js';
import { noteSecret } from '../core/secrets.js';
import type { Settings } from './environment.js';

/** The name of the token that is taken where none is named. */
export const DEFAULT_KEY = 'HF_TOKEN';
const SECRET_VARIABLE =
  /^(?:HF_TOKEN(?:_.*)?|HUGGING_FACE_HUB_TOKEN|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|TEMPORAL_API_KEY)$/;
const PROXY_VARIABLE = /^(?:https?|all)_proxy$/i;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the Hub token by the name of its secret: an environment variable, or a file in a secrets folder.
 * Only names that the operator allowed are read, so that no input can send another secret to a Hub.
 * @returns undefined when the default token is not set: anonymous
 */
export async function readToken(
  key: string | undefined,
  settings: Pick<Settings, 'tokenKeys' | 'secretsFolders'>,
  environment: Environment = process.env
): Promise<string | undefined> {
  const name = key ?? DEFAULT_KEY;
  if (!settings.tokenKeys.some((pattern) => matches(pattern, name))) {
    throw new PrefetchError(
      'TokenNotAllowed',
      `This worker does not give out a secret named "${name}" (allowed: ${settings.tokenKeys.join(', ')}). ` +
        'Use an allowed hfTokenKey, or extend MODEL_PREFETCH_TOKEN_KEYS on the worker',
      { details: { hfTokenKey: name } }
    );
  }
  const token = environment[name]?.trim() || (await readSecretFile(name, settings.secretsFolders));
  if (token !== undefined && token !== '') {
    noteSecret(token);
    return checkShape(token, name);
  }
  if (key === undefined || key === DEFAULT_KEY) return undefined;
  throw new PrefetchError(
    'TokenNotFound',
    `No secret named "${name}" on this worker: neither an environment variable nor a file in ${settings.secretsFolders.join(', ')}`,
    { details: { hfTokenKey: name } }
  );
}

/**
 * The token that `hf auth login` stored for this user, where huggingface_hub looks for it, or the variable of its early
 * releases. For a process of the user's own alone: a worker gives out what its operator named, and nothing else.
 */
export async function readLoginToken(environment: Environment = process.env): Promise<string | undefined> {
  if (/^(?:1|on|yes|true)$/i.test(environment['HF_HUB_DISABLE_IMPLICIT_TOKEN'] ?? '')) return undefined;
  const given = environment['HUGGING_FACE_HUB_TOKEN']?.trim();
  const file = loginFile(environment);
  const token = given || (await readSecretFile(basename(file), [dirname(file)]));
  if (token === undefined || token === '') return undefined;
  noteSecret(token);
  return checkShape(token, given ? 'HUGGING_FACE_HUB_TOKEN' : file);
}

function loginFile(environment: Environment): string {
  const home = environment['HOME'] || homedir();
  const expanded = (path: string) => path.replace(/^~(?=\/|$)/, home);
  const cache = environment['XDG_CACHE_HOME'] || join(home, '.cache');
  const hfHome = environment['HF_HOME'] || join(cache, 'huggingface');
  return expanded(environment['HF_TOKEN_PATH'] || join(hfHome, 'token'));
}

/**
 * Remembers the secrets of the environment, whoever reads them later: what others say is cleaned of them from the first line
 * on, and none of them is taken for the name of a secret.
 */
export function noteEnvironmentSecrets(environment: Environment = process.env): void {
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined) continue;
    if (SECRET_VARIABLE.test(name)) noteSecret(value.trim());
    if (PROXY_VARIABLE.test(name)) noteProxySecrets(readProxyUrl(value.trim()));
  }
}

async function readSecretFile(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    try {
      return (await readFile(join(folder, name), 'utf8')).trim();
    } catch (error) {
      if (isAbsent(error)) continue;
      throw new PrefetchError('TokenNotFound', `Cannot read the secret file ${join(folder, name)}`, {
        details: { hfTokenKey: name, cause: errorCode(error) },
      });
    }
  }
  return undefined;
}

/** A token goes into a header: a line break or a space in it would be sent as something else. */
function checkShape(token: string, name: string): string {
  if (/^[\x21-\x7e]{1,4096}$/.test(token)) return token;
  throw new PrefetchError(
    'InvalidToken',
    `The secret "${name}" is no token: it has spaces, line breaks or other characters`,
    {
      details: { hfTokenKey: name },
    }
  );
}

function matches(pattern: string, name: string): boolean {
  const source = pattern
    .split('*')
    .map((literal) => literal.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`))
    // Not over a slash: a name may be that of a file in a secrets folder.
    .join('[^/]*');
  return new RegExp(`^${source}$`).test(name);
}

function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '');
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
