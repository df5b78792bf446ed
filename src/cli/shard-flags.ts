import { type Command, Option } from 'commander';
import { compact } from '../core/compact.js';
import type { ShardConfig } from '../core/contract.js';
import { PrefetchError } from '../core/errors.js';
import { shardConfigSchema, type ParsedShardConfig } from '../core/schemas/input.js';
import { TOLD } from '../core/schemas/issue-text.js';
import { describeIssues } from '../core/schemas/parse.js';
import { NEWEST_VERIFIED_VLLM } from '../core/vllm-releases.js';
import { byteSize, plainRelease, wholeNumber } from './flag-values.js';
import { inFlags } from './input-problems.js';

/** What commander gives for the flags of {@link addShardFlags}. */
export interface ShardFlags {
  readonly engine?: 'auto' | 'native' | 'vllm';
  readonly tensorParallelSize?: number;
  readonly dtype?: string;
  readonly maxFileSize?: number;
  readonly filePattern?: string;
  readonly vllmVersion?: string;
  readonly maxModelLen?: number;
  readonly trustRemoteCode?: boolean;
  readonly device?: 'gpu' | 'cpu';
}

const RANKS = '--tensor-parallel-size <ranks>';

/** Declares the flags that say how to shard. */
export function addShardFlags(command: Command, { needed }: { readonly needed: boolean }): Command {
  const ranks = `How many ranks to split the model into${needed ? '; required' : '. Default: no shards'}`;
  const flags = [
    new Option(RANKS, ranks).argParser(wholeNumber),
    new Option(
      '--engine <engine>',
      'native: this CPU; vllm: MODEL_PREFETCH_PYTHON; auto: native or else vllm. Default: auto'
    ).choices(['auto', 'native', 'vllm']),
    new Option('--dtype <type>', 'Data type of the weights: auto, bfloat16 or float16. Default: auto'),
    new Option(
      '--max-file-size <size>',
      'Most tensor data in one file, in bytes or as 500MiB. Default: 5GiB'
    ).argParser(byteSize),
    new Option('--file-pattern <name>', 'Names of the files, with {rank} and {part}. Default: those of vLLM'),
    new Option(
      '--vllm-version <release>',
      `Release of the vLLM that will load it. Default: ${NEWEST_VERIFIED_VLLM}`
    ).argParser(plainRelease),
    new Option('--max-model-len <tokens>', 'Engine vllm: length of its context while it saves').argParser(wholeNumber),
    new Option('--trust-remote-code', 'Engine vllm: run the code that the model brings. Default: no'),
    new Option('--no-trust-remote-code').hideHelp(),
    new Option('--device <device>', 'Engine vllm: gpu or cpu. Default: GPUs where there are any').choices([
      'gpu',
      'cpu',
    ]),
  ];
  command.optionsGroup('Sharding:');
  for (const flag of flags) command.addOption(flag);
  return command;
}

/** The checked shard config of the flags; fails as `InvalidInput` naming the flags that are out of shape. */
export function readShardFlags(flags: ShardFlags): ParsedShardConfig {
  const given = shardConfigOf(flags);
  if (flags.tensorParallelSize === undefined || given === undefined) throw missing(RANKS);
  const checked = shardConfigSchema.safeParse(given, TOLD);
  if (checked.success) return checked.data;
  const problems = describeIssues(checked.error.issues).map((problem) => inFlags(`shardConfig.${problem}`));
  throw new PrefetchError('InvalidInput', problems.join('; '));
}

/**
 * The shard config that the flags say, as a file would have it: a default that is filled in would be for good in the workflow
 * ID. Undefined where none of them is given.
 */
export function shardConfigOf(flags: ShardFlags): ShardConfig | undefined {
  const { engine, tensorParallelSize, dtype, maxFileSize, filePattern, vllmVersion } = flags;
  const { maxModelLen, trustRemoteCode, device } = flags;
  const args = {
    tensorParallelSize,
    dtype,
    maxFileSize,
    filePattern,
    vllmVersion,
    maxModelLen,
    trustRemoteCode,
    device,
  };
  const given = { ...compact({ engine }), args: compact(args) };
  if (given.engine === undefined && Object.keys(given.args).length === 0) return undefined;
  return given;
}

/** Not left to commander, which would want the flags of a command of its sub-command too. */
export function missing(flag: string): PrefetchError {
  return new PrefetchError('InvalidInput', `required option '${flag}' not specified`);
}
