import type { NativeConnection } from '@temporalio/worker';
import type { Settings } from '../../config/environment.js';
import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import type { Role } from '../../core/queues.js';
import { checkNamespace } from '../check-namespace.js';
import { checkHub } from './check-hub.js';
import { checkPython } from './check-python.js';
import { checkScratch } from './check-scratch.js';
import { checkStores } from './check-stores.js';
import { checkTokens } from './check-tokens.js';

/** What is checked, and for whom. */
export interface CheckWorkerOptions {
  readonly settings: Settings;
  readonly roles: readonly Role[];
  readonly connection: NativeConnection;
  /** @default 'default' */
  readonly namespace?: string;
  readonly signal?: AbortSignal;
  /** Hears of what an operator may want to look at, and what does not keep the worker from its work. */
  readonly warn?: (text: string) => void;
  /** How long a store or a Hub that cannot be reached is tried again. @default 30 s */
  readonly patienceMs?: number;
}

/** What each check works with. */
export interface CheckContext {
  readonly settings: Settings;
  readonly roles: readonly Role[];
  readonly signal: AbortSignal;
  readonly warn: (text: string) => void;
  readonly patienceMs: number;
}

/** One check: what it found to be good, in a few words for the log. */
export type Check = (context: CheckContext) => Promise<readonly string[]>;

const PATIENCE_MS = 30_000;

/**
 * Looks at all that workers of these roles need, before they take work that they could only fail: Temporal and the namespace,
 * store, token names, Hub, scratch disk, Python. `createWorkers()` does not: an application may start its workers while a
 * Hub is away. Fails with everything that was found wrong.
 * @returns what was checked, for the log
 */
export async function checkWorker(options: CheckWorkerOptions): Promise<readonly string[]> {
  const { settings, roles, connection, namespace = 'default' } = options;
  const context: CheckContext = {
    settings,
    roles,
    signal: options.signal ?? new AbortController().signal,
    warn: options.warn ?? (() => undefined),
    patienceMs: options.patienceMs ?? PATIENCE_MS,
  };
  const temporal: Check = async () => {
    await checkNamespace(connection, namespace, context);
    return [`Temporal namespace ${namespace}`];
  };
  const checks: readonly Check[] = [temporal, checkStores, checkTokens, checkHub, checkScratch, checkPython];
  const results = await Promise.allSettled(checks.map((check) => check(context)));
  context.signal.throwIfAborted();
  const failures = results.flatMap((result): unknown[] => (result.status === 'rejected' ? [result.reason] : []));
  if (failures.length > 0) throw joined(failures);
  return results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
}

/** Several failures as one, under the code of the first; each stands in a line of its own. */
export function joined(failures: readonly unknown[]): unknown {
  const unexpected = failures.find((failure) => !isPrefetchError(failure));
  if (unexpected !== undefined) return unexpected;
  const all = failures.filter((failure) => isPrefetchError(failure));
  const [first, ...others] = all;
  if (first === undefined || others.length === 0) return first;
  return new PrefetchError(first.code, [first.text, ...others.map(({ message }) => message)].join('\n'), {
    details: first.details,
  });
}
