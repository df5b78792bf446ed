import { describe, expect, it } from 'vitest';
import { NEWEST_VERIFIED_VLLM } from '../../src/core/vllm-releases.js';
import { parseArguments } from '../../src/cli/parse-arguments.js';
import { isPrefetchError } from '../../src/core/errors.js';

const common = { output: 'text', verbose: false, quiet: false };
const defaults = {
  tensorParallelSize: 2,
  dtype: 'auto',
  trustRemoteCode: false,
  filePattern: 'model-rank-{rank}-part-{part}.safetensors',
  maxFileSize: 5 * 1024 ** 3,
  vllmVersion: NEWEST_VERIFIED_VLLM,
};
const shard = ['shard', './model', '--to', './shards'];
const ranks = ['--tensor-parallel-size', '2'];

describe('parseArguments, for shards', () => {
  it('reads shard with its defaults, and prints JSON unless told', () => {
    expect(invocation([...shard, ...ranks])).toEqual({
      command: 'shard',
      options: {
        ...common,
        output: 'json',
        dir: './model',
        to: './shards',
        shardConfig: { engine: 'auto', args: defaults },
      },
    });
  });

  it('reads every flag of shard', () => {
    const flags = [
      ...[
        '--engine',
        'vllm',
        '--dtype',
        'float16',
        '--max-file-size',
        '5GiB',
        '--file-pattern',
        'r{rank}p{part}.safetensors',
      ],
      ...[
        '--vllm-version',
        'v0.26.0',
        '--max-model-len',
        '4096',
        '--trust-remote-code',
        '--device',
        'cpu',
        '--force',
        '3',
      ],
    ];
    expect(invocation([...shard, ...ranks, ...flags])).toMatchObject({
      options: {
        force: 3,
        shardConfig: {
          engine: 'vllm',
          args: {
            dtype: 'float16',
            maxFileSize: 5 * 1024 ** 3,
            filePattern: 'r{rank}p{part}.safetensors',
            vllmVersion: '0.26.0',
            maxModelLen: 4096,
            trustRemoteCode: true,
            device: 'cpu',
          },
        },
      },
    });
  });

  it('reads the size of a file as bytes too', () => {
    expect(invocation([...shard, ...ranks, '--max-file-size', '40000'])).toMatchObject({
      options: { shardConfig: { args: { maxFileSize: 40_000 } } },
    });
  });

  it('reads shard plan, whose flags stand behind it, and prints text unless told', () => {
    expect(invocation(['shard', 'plan', './model', ...ranks, '--engine', 'native'])).toEqual({
      command: 'shard plan',
      options: { ...common, dir: './model', shardConfig: { engine: 'native', args: defaults } },
    });
  });

  it('reads verify, and a release as vLLM tags it', () => {
    const asked = ['--deep', ...ranks, '--dtype', 'bfloat16', '--vllm-version', 'v0.26.0'];
    expect(invocation(['verify', './shards', ...asked])).toEqual({
      command: 'verify',
      options: {
        ...common,
        dir: './shards',
        deep: true,
        tensorParallelSize: 2,
        dtype: 'bfloat16',
        vllmVersion: '0.26.0',
      },
    });
  });

  it.each([
    [['shard', './model', ...ranks], '--to <url>'],
    [shard, '--tensor-parallel-size <ranks>'],
    [['shard', 'plan', './model'], '--tensor-parallel-size <ranks>'],
    [['shard', 'plan', './model', ...ranks, '--to', './shards'], "unknown option '--to'"],
    [['shard', ...ranks, '--to', './shards'], "argument 'DIR'"],
    [[...shard, '--tensor-parallel-size', '0'], '--tensor-parallel-size: '],
    [[...shard, '--tensor-parallel-size', 'two'], '--tensor-parallel-size: expected a whole number, got "two"'],
    [[...shard, ...ranks, '--engine', 'torch'], '--engine: '],
    [[...shard, ...ranks, '--max-file-size', 'huge'], '--max-file-size: expected bytes'],
    [[...shard, ...ranks, '--max-file-size', '0'], '--max-file-size: expected bytes'],
    [[...shard, ...ranks, '--max-file-size', '-1'], '--max-file-size'],
    [[...shard, ...ranks, '--file-pattern', 'model.safetensors'], '--file-pattern: expected {rank} and {part}'],
    [[...shard, ...ranks, '--file-pattern', '../{rank}-{part}.safetensors'], '--file-pattern: '],
    [[...shard, ...ranks, '--vllm-version', 'newest'], '--vllm-version: expected a release'],
    [[...shard, ...ranks, '--device', 'tpu'], '--device: '],
    [[...shard, ...ranks, '--max-model-len', 'long'], '--max-model-len: expected a whole number'],
    [['verify'], "argument 'DIR'"],
    [
      ['verify', './shards', '--tensor-parallel-size', 'two'],
      '--tensor-parallel-size: expected a whole number, got "two"',
    ],
  ])('refuses %j as InvalidInput, naming the flag', (argv, text) => {
    const error = failure(argv);
    expect(isPrefetchError(error, 'InvalidInput'), String(error)).toBe(true);
    expect(String(error)).toContain(text);
  });

  it.each(['shard', 'shard plan', 'verify'])('has help with examples for %s', (command) => {
    const parsed = parseArguments([...command.split(' '), '--help'], '0.0.0');
    expect(parsed).toMatchObject({ kind: 'text', text: expect.stringMatching(/Examples:\n {2}1\. /) as string });
  });
});

function invocation(argv: readonly string[]): unknown {
  const parsed = parseArguments(argv, '0.0.0');
  return parsed.kind === 'run' ? parsed.invocation : parsed;
}

function failure(argv: readonly string[]): unknown {
  try {
    return parseArguments(argv, '0.0.0');
  } catch (error) {
    return error;
  }
}
