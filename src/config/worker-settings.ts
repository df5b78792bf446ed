import { invalid } from './invalid-variable.js';

/** How the log of a worker is written: for people, or for programs that collect it. */
export const LOG_FORMATS = ['text', 'json'] as const;
/** From what weight on a line is written. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/** One of the forms. */
export type LogFormat = (typeof LOG_FORMATS)[number];
/** One of the weights. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What the environment says of a worker process besides the settings of its work. */
export interface WorkerSettings {
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
  /** Whether the worker looks at what it needs before it takes work. */
  readonly checks: boolean;
}

/** Reads how a worker logs, and whether it checks itself; fails as `InvalidInput` naming the variable. */
export function readWorkerSettings(
  environment: Readonly<Record<string, string | undefined>> = process.env
): WorkerSettings {
  return {
    logFormat: oneOf(environment, 'MODEL_PREFETCH_LOG', LOG_FORMATS) ?? 'text',
    logLevel: oneOf(environment, 'MODEL_PREFETCH_LOG_LEVEL', LOG_LEVELS) ?? 'info',
    checks: oneOf(environment, 'MODEL_PREFETCH_WORKER_CHECKS', ['on', 'off'] as const) !== 'off',
  };
}

function oneOf<T extends string>(
  environment: Readonly<Record<string, string | undefined>>,
  name: string,
  values: readonly T[]
): T | undefined {
  const value = environment[name];
  if (!value) return undefined;
  const found = values.find((each) => each === value);
  if (found !== undefined) return found;
  throw invalid(name, values.map((each) => JSON.stringify(each)).join(' or '));
}
