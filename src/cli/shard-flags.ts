import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseByteSize } from '../config/byte-size.js';
import { compact } from '../core/compact.js';
import { PrefetchError } from '../core/errors.js';
import { shardConfigSchema, type ParsedShardConfig } from '../core/schemas/input.js';
import { describeIssues } from '../core/schemas/parse.js';
import { NEWEST_VERIFIED_VLLM } from '../core/vllm-releases.js';
import { plainRelease, wholeNumber } from './flag-values.js';

/** What commander gives for the flags of {@link addShardFlags}. */
export interface ShardFlags {
  readonly engine?: string;
  readonly tensorParallelSize?: number;
  readonly dtype?: string;
  readonly maxFileSize?: number;
  readonly filePattern?: string;
  readonly vllmVersion?: string;
  readonly maxModelLen?: number;
  readonly trustRemoteCode?: boolean;
  readonly device?: string;
}

const FLAG_OF_FIELD: Readonly<Record<string, string>> = {
  engine: '--engine',
  'args.tensorParallelSize': '--tensor-parallel-size',
  'args.dtype': '--dtype',
  'args.maxFileSize': '--max-file-size',
  'args.filePattern': '--file-pattern',
  'args.vllmVersion': '--vllm-version',
  'args.maxModelLen': '--max-model-len',
  'args.device': '--device',
};

/** Declares the flags that say how to shard. */
export function addShardFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--engine <engine>',
        'native: this CPU; vllm: MODEL_PREFETCH_PYTHON; auto: native or else vllm. Default: auto'
      )
    )
    .option('--tensor-parallel-size <ranks>', 'How many ranks to split the model into; required', wholeNumber)
    .option('--dtype <type>', 'Data type of the weights: auto, bfloat16 or float16. Default: auto')
    .option('--max-file-size <size>', 'Most tensor data in one file, in bytes or as 500MiB. Default: 5GiB', byteSize)
    .option('--file-pattern <name>', 'Names of the files, with {rank} and {part}. Default: those of vLLM')
    .option(
      '--vllm-version <release>',
      `Release of the vLLM that will load it. Default: ${NEWEST_VERIFIED_VLLM}`,
      plainRelease
    )
    .option('--max-model-len <tokens>', 'Engine vllm: length of its context while it saves', wholeNumber)
    .option('--trust-remote-code', 'Engine vllm: run the code that the model brings')
    .option('--device <device>', 'Engine vllm: gpu or cpu. Default: GPUs where there are any');
}

/** The checked shard config of the flags; fails as `InvalidInput` naming the flags that are out of shape. */
export function readShardFlags(flags: ShardFlags): ParsedShardConfig {
  if (flags.tensorParallelSize === undefined) throw missing('--tensor-parallel-size <ranks>');
  const { engine, ...args } = flags;
  const { tensorParallelSize, dtype, maxFileSize, filePattern, vllmVersion, maxModelLen, trustRemoteCode, device } =
    args;
  const checked = shardConfigSchema.safeParse({
    ...compact({ engine }),
    args: compact({
      tensorParallelSize,
      dtype,
      maxFileSize,
      filePattern,
      vllmVersion,
      maxModelLen,
      trustRemoteCode,
      device,
    }),
  });
  if (checked.success) return checked.data;
  const problems = describeIssues(checked.error.issues).map((problem) => {
    const field = Object.keys(FLAG_OF_FIELD).find((name) => problem.startsWith(`${name}:`));
    return field === undefined ? problem : `${FLAG_OF_FIELD[field] ?? field}${problem.slice(field.length)}`;
  });
  throw new PrefetchError('InvalidInput', problems.join('; '));
}

/** Not left to commander, which would want the flags of a command of its sub-command too. */
export function missing(flag: string): PrefetchError {
  return new PrefetchError('InvalidInput', `required option '${flag}' not specified`);
}

function byteSize(value: string): number {
  const size = parseByteSize(value);
  if (size === undefined || size < 1) throw new InvalidArgumentError('Expected bytes, or a size such as 5GiB.');
  return size;
}
