import { ApplicationFailure, SdkComponent, type LogLevel as SdkLevel, type LogMetadata } from '@temporalio/common';
import { LogTimestamp, type Logger } from '@temporalio/worker';
import { isHandedOver } from '../../activities/hand-over.js';
import type { LogLevel } from '../../config/worker-settings.js';
import { isErrorCode } from '../../core/errors.js';
import type { LogFields, WorkerLog } from './worker-log.js';

const LEVELS: Readonly<Record<SdkLevel, LogLevel>> = {
  TRACE: 'debug',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
};

/** What the SDK warns of and is so by design: only the role `main` has workflows. */
const BY_DESIGN: ReadonlySet<string> = new Set(['No workflows registered, not polling for workflow tasks']);

const OUTAGE_EVERY_MS = 60_000;

/** A line of the log, before it is written. */
interface Line {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields?: LogFields;
}

/**
 * What the SDK logs, as lines of the worker's log: the end of a step or a run in one line with what it failed on, its
 * warnings and errors as they are, and how it starts and stops only for those who debug.
 */
export function sdkLogger(log: WorkerLog): Logger {
  const outage = outageTeller();
  const write = (sdkLevel: SdkLevel, message: string, meta: LogMetadata = {}) => {
    // Activations whole, for people who work on the SDK.
    if (sdkLevel === 'TRACE') return;
    const line = outage(message, timeOf(meta)) ?? lineOf(LEVELS[sdkLevel], withoutDump(message), meta);
    log.write(line.level, line.message, { ...fieldsOf(meta), ...line.fields }, timeOf(meta));
  };
  return {
    log: write,
    trace: (message, meta) => {
      write('TRACE', message, meta);
    },
    debug: (message, meta) => {
      write('DEBUG', message, meta);
    },
    info: (message, meta) => {
      write('INFO', message, meta);
    },
    warn: (message, meta) => {
      write('WARN', message, meta);
    },
    error: (message, meta) => {
      write('ERROR', message, meta);
    },
  };
}

/** Each of many pollers says for itself that Temporal is away, again and again: a line a minute is enough. */
function outageTeller(): (message: string, time: Date) => Line | undefined {
  let told = Number.NEGATIVE_INFINITY;
  return (message, time) => {
    const [, code, said] =
      /^gRPC call \w+ retried \d+ times: Status \{ code: (\w+), message: "([^"]*)"/.exec(message) ?? [];
    if (code === undefined) return undefined;
    const isNew = time.getTime() - told >= OUTAGE_EVERY_MS;
    if (!isNew) return { level: 'debug', message };
    told = time.getTime();
    return {
      level: 'warn',
      message: `Temporal does not answer (${code}: ${said ?? ''}); it is asked again until it does`,
    };
  };
}

/** The native part shows a status of gRPC with all bytes and headers that it has. */
function withoutDump(message: string): string {
  return message.replace(/, details: (?:b"|\[)[^]*$/, ' }');
}

function lineOf(level: LogLevel, message: string, meta: LogMetadata): Line {
  const component: unknown = meta['sdkComponent'];
  const ofSdk = component === SdkComponent.worker || component === SdkComponent.core || component === undefined;
  if (!ofSdk) return { level, message };
  const error: unknown = meta['error'];
  switch (message) {
    case 'Activity failed':
      return stepFailed(textOf(meta['activityType']) ?? 'A step', error);
    case 'Workflow failed':
      return runFailed(error);
    case 'Activity completed as cancelled':
    case 'Activity paused':
    case 'Activity reset':
      return {
        level: 'info',
        message: `${textOf(meta['activityType']) ?? 'A step'} was ${message.split(' ').at(-1) ?? ''}`,
      };
  }
  if (level === 'info' || BY_DESIGN.has(message)) return { level: 'debug', message };
  return { level, message: error === undefined ? message : `${message}: ${said(error)}`, fields: codeOf(error) };
}

function stepFailed(step: string, error: unknown): Line {
  if (isHandedOver(error)) {
    return { level: 'info', message: `${step} is handed over to the next worker, for this one stops` };
  }
  const isFinal = error instanceof ApplicationFailure && error.nonRetryable === true;
  const delay = error instanceof ApplicationFailure ? error.nextRetryDelay : undefined;
  const again = typeof delay === 'number' ? `is tried again in ${String(Math.ceil(delay / 1000))} s` : 'is tried again';
  return {
    level: 'warn',
    message: `${step} failed${isFinal ? '' : ` and ${again}`}: ${said(error)}`,
    fields: { ...codeOf(error), retried: !isFinal },
  };
}

/** The step that it failed on has told the rest. */
function runFailed(error: unknown): Line {
  const { code, ...fields } = codeOf(error);
  return { level: 'warn', message: `The run failed: ${String(code ?? said(error))}`, fields: { code, ...fields } };
}

function codeOf(error: unknown): LogFields {
  if (!(error instanceof Error)) return {};
  const { stack } = error;
  // An error of the workflow's sandbox is of no class that is known here; its message begins with the code too.
  const type = error instanceof ApplicationFailure ? error.type : /^(\w+): /.exec(error.message)?.[1];
  return {
    error: said(error),
    ...(isErrorCode(type) ? { code: type } : {}),
    ...(stack === undefined || stack === '' ? {} : { stack }),
  };
}

function said(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const OURS: Readonly<Record<string, string>> = { activityType: 'step', sdkComponent: 'component' };

/** What only who debugs the SDK could use. */
const HIDDEN: ReadonlySet<string> = new Set([
  'error',
  'taskToken',
  // Whole tasks with their input, where a converter fails.
  'task',
  'taskEncoded',
  'isLocal',
  'namespace',
  'activityId',
  'workflowType',
  'runId',
  'workflowRunId',
]);

/** The SDK's own names are not all ours. */
function fieldsOf(meta: LogMetadata): LogFields {
  const entries = Object.entries(meta).flatMap(([name, value]: [string, unknown]) =>
    isField(value) && !HIDDEN.has(name) ? [[OURS[name] ?? name, value] as const] : []
  );
  return Object.fromEntries(entries);
}

function isField(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function timeOf(meta: LogMetadata): Date {
  const nanoseconds: unknown = Object.getOwnPropertyDescriptor(meta, LogTimestamp)?.value;
  return typeof nanoseconds === 'bigint' ? new Date(Number(nanoseconds / 1_000_000n)) : new Date();
}
