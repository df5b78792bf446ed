import { readFile, stat } from 'node:fs/promises';
import { parse } from 'yaml';
import { parseByteSize } from '../config/byte-size.js';
import type { PrefetchInput, ShardConfig } from '../core/contract.js';
import { PrefetchError } from '../core/errors.js';
import { shardConfigSchema } from '../core/schemas/input.js';
import { TOLD } from '../core/schemas/issue-text.js';
import { describeIssues } from '../core/schemas/parse.js';
import { MiB } from '../core/units.js';
import { plainRelease } from './flag-values.js';
import { checkInput } from './input-problems.js';
import type { InputOptions } from './invocation.js';

/** The input of a command with its shard config read from the file. */
export async function completeInput({ input, shardConfigFile }: InputOptions): Promise<PrefetchInput> {
  if (shardConfigFile === undefined) return input;
  const complete = { ...input, shardConfig: await readShardConfig(shardConfigFile) };
  checkInput(complete, { sharding: '--shard-config' });
  return complete;
}

/**
 * Reads a shard config, YAML or JSON, with field names as Flyte writes them (tensor_parallel_size) or as we do.
 * @throws PrefetchError `InvalidInput` naming the file and the field, as the file has it
 */
export async function readShardConfig(file: string): Promise<ShardConfig> {
  const written: Written = new Map();
  const value = asNumbers(camelCased(parseText(await readText(file), file), { file, written }), { file, written });
  assertShardConfig(value, { file, written });
  return value;
}

/** Fields by our names, with their names in the file. */
type Written = Map<string, string>;

interface Source {
  readonly file: string;
  readonly written: Written;
}

/** What passes is as it was written: a default that is filled in would be for good in the workflow ID. */
function assertShardConfig(value: unknown, { file, written }: Source): asserts value is ShardConfig {
  const checked = shardConfigSchema.safeParse(value, TOLD);
  if (checked.success) return;
  const problems = describeIssues(checked.error.issues).map((problem) => asWritten(problem, written));
  throw invalid(file, problems.join('; '));
}

/** `args.maxFileSize: expected …` names `args.max_file_size`, where the file calls it that; no names is the file itself. */
function asWritten(problem: string, written: Written): string {
  const [, place = '', reason = ''] = /^([^:]*)(:.*)$/s.exec(problem) ?? [];
  if (place === 'input') return `expected engine and args${reason.replace(/^.*?(?=, got|$)/s, '')}`;
  return `${place
    .split('.')
    .map((name) => written.get(name) ?? name)
    .join('.')}${reason}`;
}

async function readText(file: string): Promise<string> {
  try {
    if ((await stat(file)).size > MiB) throw new Error('it has over 1 MiB');
    return await readFile(file, 'utf8');
  } catch (error) {
    throw invalid(file, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function parseText(text: string, file: string): unknown {
  try {
    return parse(text, { prettyErrors: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw invalid(file, `is neither YAML nor JSON: ${reason ?? ''}`);
  }
}

/** A size may be written for people, and a release as vLLM tags it; anything else is left for the schema to judge. */
function asNumbers(value: unknown, source: Source): unknown {
  if (!hasArgs(value)) return value;
  const { maxFileSize, vllmVersion } = value.args;
  return {
    ...value,
    args: {
      ...value.args,
      ...(typeof maxFileSize === 'string' ? { maxFileSize: byteSize(maxFileSize, source) } : {}),
      ...(typeof vllmVersion === 'string' ? { vllmVersion: plainRelease(vllmVersion) } : {}),
    },
  };
}

interface WithArgs {
  readonly args: { readonly maxFileSize?: unknown; readonly vllmVersion?: unknown };
}

function hasArgs(value: unknown): value is WithArgs {
  return isObject(value) && 'args' in value && isObject(value.args);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function byteSize(text: string, { file, written }: Source): number {
  const size = parseByteSize(text);
  if (size !== undefined) return size;
  throw invalid(file, asWritten(`args.maxFileSize: expected bytes, or a size such as "5GiB", got other text`, written));
}

/** Names in camel case at every level; a null, as Python tools write for "not set", is left out. */
function camelCased(value: unknown, source: Source): unknown {
  if (!isObject(value)) return value;
  const fields = new Map<string, unknown>();
  for (const [name, field] of Object.entries(value)) {
    if (field === null) continue;
    const camel = name.replaceAll(/(?<=[a-z0-9])_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
    if (fields.has(camel)) {
      throw invalid(source.file, `${name} is given twice, also as ${source.written.get(camel) ?? camel}`);
    }
    source.written.set(camel, name);
    fields.set(camel, camelCased(field, source));
  }
  return Object.fromEntries(fields);
}

function invalid(file: string, text: string): PrefetchError {
  return new PrefetchError('InvalidInput', `--shard-config ${file}: ${text}`);
}
