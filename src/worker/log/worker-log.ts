import type { LogFormat, LogLevel } from '../../config/worker-settings.js';
import { LOG_LEVELS } from '../../config/worker-settings.js';
import { oneLine } from '../../core/control-characters.js';
import { withoutSecrets, withoutSecretsDeep } from '../../core/foreign-text.js';

/** What a line tells besides its message: plain values under names that never change. */
export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** The log of a worker process: one line for each event. */
export interface WorkerLog {
  readonly format: LogFormat;
  readonly level: LogLevel;
  /** @param time - when it was, where that is not now */
  write(level: LogLevel, message: string, fields?: LogFields, time?: Date): void;
}

/** How lines are written, and which ones. */
export interface WorkerLogOptions {
  readonly format: LogFormat;
  readonly level: LogLevel;
  /** Takes one whole line, with its line break. */
  readonly out: (line: string) => void;
}

/** In text only what tells one run from another: the message says the rest. */
const SHOWN = ['workflowId', 'step', 'attempt'];

/** A log whose lines are each written at once and as a whole, without secrets and control characters. */
export function openWorkerLog({ format, level, out }: WorkerLogOptions): WorkerLog {
  const line = format === 'json' ? jsonLine : textLine;
  return {
    format,
    level,
    write(weight, message, fields = {}, time = new Date()) {
      if (LOG_LEVELS.indexOf(weight) < LOG_LEVELS.indexOf(level)) return;
      out(`${line(time, weight, message, { fields, verbose: level === 'debug' })}\n`);
    },
  };
}

interface Rest {
  readonly fields: LogFields;
  readonly verbose: boolean;
}

function jsonLine(time: Date, level: LogLevel, message: string, { fields, verbose }: Rest): string {
  const { stack, ...others } = fields;
  const line = { time: time.toISOString(), level, message, ...others, ...(verbose ? { stack } : {}) };
  // What is undefined is left out of JSON.
  return JSON.stringify(withoutSecretsDeep(line));
}

function textLine(time: Date, level: LogLevel, message: string, { fields, verbose }: Rest): string {
  const { stack, ...others } = fields;
  const pairs = Object.entries(others).flatMap(([name, value]) =>
    value !== undefined && (verbose || isShown(name, value)) ? [`${name}=${quoted(value)}`] : []
  );
  const text = [time.toISOString(), level.toUpperCase().padEnd(5), message, ...pairs].join(' ');
  const below = verbose && typeof stack === 'string' ? `\n${withoutSecrets(stack)}` : '';
  return `${withoutSecrets(oneLine(text))}${below}`;
}

/** A first attempt is what everybody expects. */
function isShown(name: string, value: unknown): boolean {
  return SHOWN.includes(name) && !(name === 'attempt' && value === 1);
}

function quoted(value: string | number | boolean | readonly string[]): string {
  const text = typeof value === 'object' ? value.join(',') : String(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}
