import { access, constants, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { looksLikeToken } from '../core/foreign-text.js';
import type { Settings } from './environment.js';
import { DEFAULT_KEY, readToken } from './secrets.js';

type Needs = Pick<Settings, 'tokenKeys' | 'secretsFolders'>;
type Environment = Readonly<Record<string, string | undefined>>;

/** What the secrets of a worker come to. */
export interface CheckedSecrets {
  /** Names without a star whose secret was found. */
  readonly found: readonly string[];
  /** What stands against the others. */
  readonly problems: readonly PrefetchError[];
}

/**
 * Looks whether each secret that is named as it is can be given out. Names with a star stand for whatever there is, and the
 * default token may be missing: then runs are anonymous.
 */
export async function checkSecrets(settings: Needs, environment: Environment = process.env): Promise<CheckedSecrets> {
  if (settings.tokenKeys.some(looksLikeToken)) return { found: [], problems: [tokenForName()] };
  const problems = await Promise.all(settings.secretsFolders.filter(isGiven).map(folderProblem));
  const names = settings.tokenKeys.filter((name) => !name.includes('*'));
  const results = await Promise.all(names.map((name) => lookUp(name, settings, environment)));
  return {
    found: names.filter((_name, index) => results[index] === 'found'),
    problems: [...problems, ...results].filter((each) => isPrefetchError(each)),
  };
}

/** The first folder is that of containers, and is there only where a container has secrets. */
function isGiven(folder: string): boolean {
  return folder !== '/run/secrets';
}

function tokenForName(): PrefetchError {
  return new PrefetchError(
    'InvalidInput',
    'MODEL_PREFETCH_TOKEN_KEYS: expected names of secrets, and one of them looks like a token itself. Name the variable or ' +
      'the file that has the token; the value is not shown here',
    { details: { variable: 'MODEL_PREFETCH_TOKEN_KEYS' } }
  );
}

async function folderProblem(folder: string): Promise<PrefetchError | undefined> {
  try {
    await readdir(folder);
    await access(folder, constants.X_OK);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return new PrefetchError(
      'TokenNotFound',
      `MODEL_PREFETCH_SECRETS_DIR: the folder ${folder} cannot be read (${reason}). Mount it, or take it out of the list`,
      { details: { variable: 'MODEL_PREFETCH_SECRETS_DIR', reason } }
    );
  }
}

async function lookUp(
  name: string,
  settings: Needs,
  environment: Environment
): Promise<'found' | 'anonymous' | PrefetchError> {
  const empty = await emptyFile(name, settings, environment);
  if (empty !== undefined) return notFound(name, `The secret file ${empty} is empty`);
  try {
    return (await readToken(name, settings, environment)) === undefined ? 'anonymous' : 'found';
  } catch (error) {
    if (!isPrefetchError(error)) throw error;
    const isEmpty = error.code === 'TokenNotFound' && environment[name]?.trim() === '';
    if (isEmpty) return notFound(name, `The variable ${name} is empty`);
    return notFound(name, error.text, error.code);
  }
}

/** A mounted secret without content is a mistake, also for the default token; an empty variable is one that is not set. */
async function emptyFile(name: string, settings: Needs, environment: Environment): Promise<string | undefined> {
  if ((environment[name]?.trim() ?? '') !== '') return undefined;
  for (const folder of settings.secretsFolders) {
    const path = join(folder, name);
    const isFile = await stat(path).then(
      (found) => found.isFile(),
      () => false
    );
    const text = isFile ? await readFile(path, 'utf8').catch(() => 'not to be read') : undefined;
    if (text !== undefined) return text.trim() === '' ? path : undefined;
  }
  return undefined;
}

function notFound(name: string, text: string, code: PrefetchError['code'] = 'TokenNotFound'): PrefetchError {
  const advice = name === DEFAULT_KEY ? '' : `. Set it, or take "${name}" out of MODEL_PREFETCH_TOKEN_KEYS`;
  return new PrefetchError(code, `${text}${advice}`, { details: { hfTokenKey: name } });
}
