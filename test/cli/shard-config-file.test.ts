import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { completeInput, readShardConfig } from '../../src/cli/shard-config-file.js';
import { prefetchWorkflowId } from '../../src/core/identity.js';
import { tmpFolder } from '../helpers/tmp.js';

const FLYTE = `
engine: vllm
args:
  model: unused
  tensor_parallel_size: 8
  dtype: auto
  trust_remote_code: true
  max_model_len: null
  file_pattern: model-rank-{rank}-part-{part}.safetensors
  max_file_size: 5368709120
`;

describe('readShardConfig', () => {
  it("takes Flyte's file unchanged, and camel case in JSON, and means the same by both", async () => {
    const flyte = await readShardConfig(await file(FLYTE.replace('  model: unused\n', '')));
    const ours = await readShardConfig(
      await file('{"engine": "vllm", "args": {"tensorParallelSize": 8, "trustRemoteCode": true}}')
    );
    expect(flyte).toMatchObject(ours);
    expect(flyte.args).toMatchObject({ tensorParallelSize: 8, trustRemoteCode: true });
    const id = (shardConfig: typeof flyte) => prefetchWorkflowId({ repo: 'org/m', shardConfig });
    expect(id(flyte)).toBe(id(ours));
  });

  it.each([
    ['5GiB', 5 * 1024 ** 3],
    ['500 MB', 500_000_000],
    ["'5368709120'", 5 * 1024 ** 3],
    ['40000', 40_000],
  ])('takes a max_file_size of %s', async (size, bytes) => {
    const read = await readShardConfig(await file(`args: {tensor_parallel_size: 2, max_file_size: ${size}}\n`));
    expect(read.args?.maxFileSize).toBe(bytes);
  });

  it.each([
    ['no number of ranks', 'engine: vllm\nargs: {dtype: auto}\n'],
    ['no args', 'engine: vllm\n'],
    ['nothing for both', 'engine: vllm\nargs:\n'],
    ['null for what is not set', 'engine: vllm\nargs: {tensor_parallel_size: null, file_pattern: null, dtype: null}\n'],
  ])('takes a file with %s for one rank, as Flyte does', async (_what, text) => {
    const read = await readShardConfig(await file(text));
    const id = (shardConfig: typeof read) => prefetchWorkflowId({ repo: 'org/m', shardConfig });
    expect(id(read)).toBe(id({ engine: 'vllm', args: { tensorParallelSize: 1 } }));
  });

  it('takes a vllm_version as vLLM tags its releases', async () => {
    const read = await readShardConfig(await file('args: {tensor_parallel_size: 2, vllm_version: v0.26.0}\n'));
    expect(read.args?.vllmVersion).toBe('0.26.0');
  });

  it.each([
    ['an unknown field', FLYTE, 'args.model: unknown field'],
    ['a wrong engine', 'engine: torch\nargs: {tensor_parallel_size: 2}\n', 'engine: '],
    ['a wrong type', 'args: {tensor_parallel_size: two}\n', 'args.tensor_parallel_size: expected a number, got text'],
    [
      'a size that is none',
      'args: {tensor_parallel_size: 2, max_file_size: huge}\n',
      'args.max_file_size: expected bytes',
    ],
    [
      'a size of nothing',
      'args: {tensor_parallel_size: 2, max_file_size: 0B}\n',
      'args.max_file_size: expected at least 1, got 0',
    ],
    ['a release that is none', 'args: {tensor_parallel_size: 2, vllm_version: vnext}\n', 'args.vllm_version: '],
    ['args that are a list', 'args: [2]\n', 'args: '],
    ['a list', '- 1\n- 2\n', 'expected engine and args, got a list'],
    ['nothing', '', 'expected engine and args, got null'],
    ['a field in both spellings', 'args: {tensor_parallel_size: 2, tensorParallelSize: 4}\n', 'given twice'],
    ['broken YAML', 'engine: [vllm\n', 'neither YAML nor JSON'],
    ['a bomb of aliases', `a: &a [x,x,x,x,x,x,x,x,x,x]\n${bomb()}`, 'neither YAML nor JSON'],
    ['a prototype', '{"__proto__": {"engine": "vllm"}, "args": {"tensorParallelSize": 2}}', '__proto__: unknown field'],
  ])('refuses a file with %s as InvalidInput, naming the file and the place', async (_case, content, text) => {
    const path = await file(content);
    await expect(readShardConfig(path)).rejects.toThrow(`InvalidInput: --shard-config ${path}: `);
    await expect(readShardConfig(path)).rejects.toThrow(text);
  });

  it('refuses a file that is not there, a folder, and a file of megabytes', async () => {
    const folder = await tmpFolder();
    await mkdir(join(folder, 'sub'));
    await writeFile(join(folder, 'big'), '#'.repeat(2 * 1024 * 1024));
    for (const name of ['absent', 'sub', 'big']) {
      await expect(readShardConfig(join(folder, name))).rejects.toThrow(
        `InvalidInput: --shard-config ${join(folder, name)}: cannot be read`
      );
    }
  });
});

describe('completeInput', () => {
  it('adds the shard config to the flags', async () => {
    const shardConfigFile = await file('args: {tensor_parallel_size: 2}\n');
    const input = await completeInput({ input: { repo: 'org/m', resources: { gpu: 'L4:2' } }, shardConfigFile });
    expect(input).toMatchObject({ resources: { gpu: 'L4:2' }, shardConfig: { args: { tensorParallelSize: 2 } } });
  });
});

async function file(content: string): Promise<string> {
  const path = join(await tmpFolder(), 'shard.yaml');
  await writeFile(path, content);
  return path;
}

function bomb(): string {
  const letters = 'abcdefgh'.split('');
  return letters
    .slice(1)
    .map((letter, position) => `${letter}: &${letter} [${`*${letters[position] ?? 'a'},`.repeat(9)}x]`)
    .join('\n');
}
