import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { publishAsDir } from '../steps/shards/setup.js';
import { writeFormulaModel } from '../helpers/formula-models.js';
import { storedFiles } from '../helpers/tmp.js';
import { checkpointFolder } from './checkpoint-folder.js';
import { runCli, type CliRun } from './cli-process.js';

const RANKS = ['--tensor-parallel-size', '2'];

describe('model-prefetch shard refuses as wrong usage', () => {
  it.each<[string, readonly string[], string]>([
    ['a flag that nobody knows', ['--to', 'TO', ...RANKS, '--frobnicate'], "unknown option '--frobnicate'"],
    ['no --to', [...RANKS], "required option '--to <url>' not specified"],
    ['no number of ranks', ['--to', 'TO'], "required option '--tensor-parallel-size <ranks>' not specified"],
    [
      'a size that is none',
      ['--to', 'TO', ...RANKS, '--max-file-size', 'huge'],
      '--max-file-size: expected bytes, or a size such as 5GiB',
    ],
    [
      'a size in units that are none',
      ['--to', 'TO', ...RANKS, '--max-file-size', '5gib'],
      '--max-file-size: expected bytes',
    ],
    ['a release that is none', ['--to', 'TO', ...RANKS, '--vllm-version', 'new'], '--vllm-version: expected a release'],
    ['a --to that is empty', ['--to', '', ...RANKS], '--to: expected a URL or a path'],
    ['a --to that is a whole store', ['--to', 's3://bucket', ...RANKS], '--to: s3://bucket/ is a whole store'],
    ['a --to of another scheme', ['--to', 'gs://bucket/m', ...RANKS], '--to: "gs://bucket/m" has the scheme gs://'],
    ['a --to that is DIR', ['--to', 'DIR', ...RANKS], 'is DIR or lies in it'],
    ['a --to in DIR', ['--to', 'DIR/shards', ...RANKS], 'is DIR or lies in it'],
    ['a --to with other files', ['--to', 'OTHER', ...RANKS], '(model.safetensors): choose an empty folder for --to'],
  ])('%s', async (_case, args, text) => {
    const { folder, model, to } = await checkpointFolder();
    const other = join(folder, 'other');
    await writeFormulaModel(other, 'mistral');
    const before = await storedFiles(folder);
    const places = args.map((arg) =>
      arg
        .replace(/^DIR/, model)
        .replace(/^TO$/, to)
        .replace(/^OTHER$/, other)
    );
    expectRefused(await runCli(['shard', model, ...places]), { exit: 2, code: 'InvalidInput', text });
    expect(await storedFiles(folder)).toEqual(before);
  });

  it.each([
    ['that is not there', 'absent', 'holds no files: expected a Dir, or a folder with a checkpoint'],
    ['that is empty text', '', 'DIR: expected a URL or a path, got nothing'],
    ['of another scheme', 'gs://bucket/model', 'DIR: "gs://bucket/model" has the scheme gs://'],
  ])('a DIR %s', async (_case, dir, text) => {
    const { folder, to } = await checkpointFolder();
    const from = dir === 'absent' ? join(folder, dir) : dir;
    for (const args of [
      ['shard', from, '--to', to],
      ['shard', 'plan', from],
    ]) {
      expectRefused(await runCli([...args, ...RANKS]), { exit: 2, code: 'InvalidInput: DIR', text });
    }
    expect(await storedFiles(to)).toEqual([]);
  });

  it('shards as DIR, and another Dir at --to', async () => {
    const { folder, model, to } = await checkpointFolder();
    await runCli(['shard', model, '--to', to, ...RANKS]);
    const before = await storedFiles(to);
    const twice = await runCli(['shard', to, '--to', join(folder, 'twice'), ...RANKS]);
    const isSharded = 'is sharded already: give the Dir that it was made of';
    expectRefused(twice, { exit: 2, code: 'InvalidInput: DIR', text: isSharded });
    const other = await runCli(['shard', model, '--to', to, '--tensor-parallel-size', '4']);
    const isTaken = 'another Dir already (model, tensorParallelSize 2, bfloat16, engine native): choose another --to';
    expectRefused(other, { exit: 2, code: 'InvalidInput', text: isTaken });
    expect(await storedFiles(to)).toEqual(before);
  });
});

describe('model-prefetch shard fails, with nothing written,', () => {
  it('for a Dir that is not as it was published, as DirNotIntact', async () => {
    const { model, to } = await checkpointFolder();
    await publishAsDir(model);
    await rm(join(model, 'tokenizer.json'));
    const run = await runCli(['shard', model, '--to', to, ...RANKS]);
    expectRefused(run, { exit: 1, code: 'DirNotIntact', text: 'tokenizer.json changed or went. Bring it again' });
    expect(await storedFiles(to)).toEqual([]);
  });

  it.each<[string, object, readonly string[], string]>([
    [
      'ranks that do not divide the heads',
      {},
      ['--tensor-parallel-size', '3'],
      'does not divide the 8 attention heads',
    ],
    ['a vLLM that was not measured', {}, [...RANKS, '--vllm-version', '0.99.0'], 'What vLLM 0.99.0 calls the tensors'],
    ['a data type that vLLM does not take', {}, [...RANKS, '--dtype', 'int8'], 'dtype int8 is none of auto, bfloat16'],
    ['an architecture that nobody verified', { architectures: ['FalconForCausalLM'] }, RANKS, 'FalconForCausalLM'],
    ['a quantized model', { quantization_config: { quant_method: 'awq' } }, RANKS, 'quant_method awq'],
    [
      'a model that is larger than its weights',
      { num_hidden_layers: 9 },
      RANKS,
      'lacks 63 tensors that config.json promises',
    ],
  ])('for %s by engine native, as UnsupportedSharding', async (_case, change, flags, text) => {
    const { model, to } = await checkpointFolder('llama-untied', change);
    for (const args of [
      ['shard', model, '--to', to],
      ['shard', 'plan', model],
    ]) {
      const run = await runCli([...args, ...flags, '--engine', 'native']);
      expectRefused(run, { exit: 1, code: 'UnsupportedSharding', text });
      expect(run.stderr).toContain('engine vllm (or auto, which falls back to it) can take others');
    }
    expect(await storedFiles(to)).toEqual([]);
  });
});

/** Nothing on stdout, and `code: text` as the last line of stderr. */
function expectRefused(
  { code: exitCode, stdout, stderr }: CliRun,
  { exit, code, text }: { readonly exit: number; readonly code: string; readonly text: string }
): void {
  expect({ exitCode, stdout }, stderr).toEqual({ exitCode: exit, stdout: '' });
  const last = stderr.trim().split('\n').at(-1) ?? '';
  expect(last.startsWith(`${code}: `), stderr).toBe(true);
  expect(last).toContain(text);
}
