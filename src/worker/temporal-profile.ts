import { readFileSync } from 'node:fs';
import {
  loadClientConfigProfile,
  toClientOptions,
  type ClientConfigProfile,
  type ClientConnectConfig,
  type LoadClientProfileOptions,
} from '@temporalio/envconfig';
import { temporalEnvironment } from '../config/temporal-environment.js';
import { oneLine } from '../core/control-characters.js';
import { PrefetchError } from '../core/errors.js';
import { noteSecret } from '../core/secrets.js';

const DEFAULT_PORT = 7233;
const DEFAULT_ADDRESS = `localhost:${String(DEFAULT_PORT)}`;
const MOST_TEXT = 200;

/** What variables and temporal.toml say of Temporal, by the rules of the Temporal CLI. */
export interface TemporalProfile extends ClientConnectConfig {
  readonly address: string;
  /** Whether anything names a cluster at all. */
  readonly configured: boolean;
}

/**
 * Reads how to get to Temporal.
 * @throws PrefetchError `InvalidInput` naming the variable or the file that is wrong
 */
export function readTemporalProfile(options: { readonly profile?: string } = {}): TemporalProfile {
  const environment = temporalEnvironment();
  checkConfigFile(environment['TEMPORAL_CONFIG_FILE']);
  const profile = told('TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE or temporal.toml', () =>
    readProfile({ ...options, overrideEnvVars: environment })
  );
  const { address = DEFAULT_ADDRESS, apiKey, tls } = profile;
  checkAddress(address);
  if (apiKey !== undefined) checkApiKey(apiKey);
  if ((tls?.clientCert === undefined) !== (tls?.clientKey === undefined)) {
    throw invalid(
      'TEMPORAL_TLS_CLIENT_CERT_…, TEMPORAL_TLS_CLIENT_KEY_…',
      'a certificate and its key are needed, and only one of them is given'
    );
  }
  const connect = told('TEMPORAL_TLS_…', () => toClientOptions(profile));
  return { ...connect, address, configured: Object.keys(profile).length > 0 };
}

/** The SDK trips over a file without any profile, such as an empty one: it says nothing, and names no cluster. */
function readProfile(options: LoadClientProfileOptions): ClientConfigProfile {
  try {
    return loadClientConfigProfile(options);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const named = options.profile ?? options.overrideEnvVars?.['TEMPORAL_PROFILE'];
    if (named !== undefined) throw new Error(`the file has no profiles, and "${named}" is asked for`, { cause: error });
    return loadClientConfigProfile({ ...options, disableFile: true });
  }
}

/** A file that is named and is not there would count as one that says nothing: a model would get to the wrong machine. */
function checkConfigFile(path: string | undefined): void {
  if (path === undefined) return;
  try {
    readFileSync(path);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw invalid('TEMPORAL_CONFIG_FILE', `${path} cannot be read${reason}`);
  }
}

function checkAddress(address: unknown): void {
  const parts = typeof address === 'string' ? /^(?:\[[^\]\s]+\]|[^\s:/@]+)(?::(\d+))?$/.exec(address) : null;
  const port = parts === null ? 0 : Number(parts[1] ?? DEFAULT_PORT);
  if (port >= 1 && port <= 65_535) return;
  throw invalid(
    'TEMPORAL_ADDRESS, or address in temporal.toml',
    `expected HOST:PORT such as "${DEFAULT_ADDRESS}", without a scheme and a path, got ${JSON.stringify(address)}`
  );
}

/** It goes into a header: a line break at its end is how a file with a key usually goes wrong. */
function checkApiKey(key: string): void {
  noteSecret(key.trim());
  if (/^[\x21-\x7e]+$/.test(key)) return;
  throw invalid('TEMPORAL_API_KEY', 'expected a key without spaces and line breaks; the value is not shown here');
}

/** What a library says about a file may show lines of it, and keys stand there: the first line alone is told. */
function told<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw invalid(where, oneLine(text.split('\n')[0] ?? '').slice(0, MOST_TEXT));
  }
}

function invalid(where: string, problem: string): PrefetchError {
  return new PrefetchError('InvalidInput', `${where}: ${problem}`);
}
