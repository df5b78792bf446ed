import { type Command } from 'commander';
import { compact } from '../../core/compact.js';
import { releaseOfVllm, wholeNumber } from '../flag-values.js';
import type { ShardOptions } from '../invocation.js';
import { addShardFlags, missing, readShardFlags, type ShardFlags } from '../shard-flags.js';
import { addCommonFlags, addTimeout, common, declare, type Flags, type Take } from './command.js';

const DIR = 'Dir or folder with a checkpoint: a URL, or a path';

/** Declares `shard` and `shard plan`. */
export function declareShard(program: Command, take: Take): void {
  const shard = declare(program, 'shard')
    .argument('<DIR>', DIR)
    // What follows "plan" belongs to it.
    .enablePositionalOptions()
    .helpCommand(false)
    .optionsGroup('Where to:')
    .option('--to <url>', 'The new Dir: s3://bucket/folder, file:///folder, or a path; required');
  addShardFlags(shard, { needed: true })
    .option('--force <number>', 'A new number writes all shards anew, and trusts none that are there', wholeNumber)
    .optionsGroup('Waiting:');
  addTimeout(shard, 'the same command goes on');
  addCommonFlags(shard, 'json').action((dir: string, flags: Flags<ShardFlags & { to?: string; force?: number }>) => {
    if (flags.to === undefined) throw missing('--to <url>');
    take({
      command: 'shard',
      options: { ...shardOptions(dir, flags), to: flags.to, ...compact({ force: flags.force }) },
    });
  });
  const plan = addShardFlags(declare(shard, 'shard plan').argument('<DIR>', DIR), { needed: true });
  addCommonFlags(plan).action((dir: string, flags: Flags<ShardFlags>) => {
    take({ command: 'shard plan', options: shardOptions(dir, flags) });
  });
}

function shardOptions(dir: string, flags: Flags<ShardFlags>): ShardOptions {
  return { dir, shardConfig: readShardFlags(flags), ...common(flags) };
}

interface VerifyFlags {
  readonly deep: boolean;
  readonly tensorParallelSize?: number;
  readonly dtype?: string;
  readonly vllmVersion?: string;
}

/** Declares `verify`. */
export function declareVerify(program: Command, take: Take): void {
  const command = declare(program, 'verify')
    .argument('<DIR>', 'A published Dir: a URL, or a path')
    .optionsGroup('What to check:')
    .option('--deep', 'Read every byte and compare its digest. Default: sizes and headers', false)
    .option('--tensor-parallel-size <ranks>', 'Ranks that vLLM is to be started with. Default: any', wholeNumber)
    .option('--dtype <type>', 'Data type that vLLM is to be started with. Default: any')
    .option('--vllm-version <release>', 'Release of the vLLM that is to load it. Default: any', releaseOfVllm)
    .optionsGroup('Waiting:');
  addTimeout(command, 'nothing is left behind');
  addCommonFlags(command).action((dir: string, flags: Flags<VerifyFlags>) => {
    const { deep, tensorParallelSize, dtype, vllmVersion } = flags;
    const asked = compact({ tensorParallelSize, dtype, vllmVersion });
    take({ command: 'verify', options: { dir, deep, ...common(flags), ...asked } });
  });
}
