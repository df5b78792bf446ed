import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PrefetchInput } from '../../src/core/contract.js';
import { isPrefetchError } from '../../src/core/errors.js';
import type { DevCommit } from '../../src/dev-hub/index.js';
import { startPlatform, type Platform } from '../helpers/platform.js';
import { formulaCommit, withoutFiles } from '../helpers/shard-repos.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { storedFiles } from '../helpers/tmp.js';

type ShardArgs = NonNullable<PrefetchInput['shardConfig']>['args'];

const INDEX = 'model.safetensors.index.json';
const WAY_OUT = 'engine vllm (or auto, which falls back to it) can take others';
const OTHER_WAY_OUT = 'raise tensorParallelSize, or bring the model without shardConfig';

const server = useTemporalServer();
let platform: Platform;

beforeAll(async () => {
  const quantized = { quantization_config: { quant_method: 'awq', bits: 4 } };
  const { 'config.json': config, ...noConfig } = (await formulaCommit('llama-untied')).files;
  const commits: Record<string, DevCommit> = {
    llama: await formulaCommit('llama-untied'),
    unknown: await formulaCommit('llama-untied', { config: { architectures: ['FalconForCausalLM'] } }),
    nameless: await formulaCommit('llama-untied', { config: { architectures: undefined } }),
    quantized: await formulaCommit('llama-untied', { config: quantized }),
    other: await formulaCommit('llama-untied', { config: { model_type: 'mistral' } }),
    bare: { files: noConfig },
    broken: { files: { ...noConfig, 'config.json': { bytes: new TextEncoder().encode('{"architectures": [') } } },
    bin: {
      files: {
        'pytorch_model.bin': { size: 2_000_000, seed: 'bin' },
        ...(config === undefined ? {} : { 'config.json': config }),
      },
    },
  };
  Object.assign(commits, await brokenCommits());
  platform = await startPlatform(server(), {
    repos: Object.entries(commits).map(([name, commit]) => ({ id: `org/${name}`, commits: [commit] })),
  });
});

afterAll(() => platform.stop());

describe('what the native engine does not know ends a run as UnsupportedSharding before any byte moves', () => {
  test.each<[string, string, ShardArgs, string]>([
    ['an architecture that nobody verified', 'org/unknown', ranks(2), 'FalconForCausalLM'],
    ['a config without an architecture', 'org/nameless', ranks(2), 'names no architecture'],
    ['a model type that does not go with it', 'org/other', ranks(2), 'model_type mistral with LlamaForCausalLM'],
    ['a quantized checkpoint', 'org/quantized', ranks(2), 'quant_method awq'],
    [
      'ranks that do not divide the heads',
      'org/llama',
      ranks(3),
      'tensorParallelSize 3 does not divide the 8 attention',
    ],
    ['more ranks than heads', 'org/llama', ranks(16), 'tensorParallelSize 16 does not divide the 8 attention'],
    ['an older vLLM than was measured', 'org/llama', { ...ranks(2), vllmVersion: '0.12.0' }, 'vLLM 0.12.0'],
    ['a newer vLLM than was measured', 'org/llama', { ...ranks(2), vllmVersion: '0.99.0' }, 'vLLM 0.99.0'],
    ['a data type that vLLM would not load', 'org/llama', { ...ranks(2), dtype: 'int8' }, 'dtype int8'],
    ['a repo without a config', 'org/bare', ranks(2), 'There is no config.json'],
    ['a config that is no JSON', 'org/broken', ranks(2), 'config.json is no JSON'],
    ['weights in another format', 'org/bin', ranks(2), 'no weights in the format safetensors'],
  ])('%s', async (_case, repo, args, reason) => {
    await expectRefused({ repo, shardConfig: { engine: 'native', args } }, reason, WAY_OUT);
  });

  test('a selection that leaves the config out', async () => {
    const shardConfig = { engine: 'native', args: ranks(2) } as const;
    await expectRefused(
      { repo: 'org/llama', include: ['*.safetensors'], shardConfig },
      'There is no config.json',
      WAY_OUT
    );
  });
});

describe.each(['native', 'vllm', 'auto'] as const)('parallelism that shards cannot have, with engine %s', (engine) => {
  test.each<[string, ShardArgs, string]>([
    ['pipelineParallelSize 2', { ...ranks(2), pipelineParallelSize: 2 }, 'pipelineParallelSize 2 cannot be sharded'],
    ['enableExpertParallel', { ...ranks(2), enableExpertParallel: true }, 'enableExpertParallel cannot be sharded'],
  ])('%s', async (_case, args, reason) => {
    await expectRefused({ repo: 'org/llama', shardConfig: { engine, args } }, reason, OTHER_WAY_OUT);
  });
});

describe.each(['native', 'vllm', 'auto'] as const)('a checkpoint that is broken ends engine %s for good', (engine) => {
  test.each<[string, string, string, string]>([
    ['a file of the index is missing', 'org/incomplete', 'IncompleteCheckpoint', 'not there: model-00002-of-00003'],
    ['so it is of a model that native does not know', 'org/foreign', 'IncompleteCheckpoint', 'model-00002-of-00003'],
    ['so it is of a quantized model', 'org/quantized-part', 'IncompleteCheckpoint', 'model-00002-of-00003'],
    ['a number is missing, and there is no index', 'org/numbered', 'IncompleteCheckpoint', 'Only 2 of 3 numbered'],
    ['there are no weights', 'org/weightless', 'IncompleteCheckpoint', 'There are no weights'],
    ['a weights file is empty', 'org/empty', 'InvalidSafetensors', 'has at least 10 bytes, got 0'],
    ['the index is no JSON', 'org/index', 'InvalidSafetensors', 'index.json is no JSON'],
    ['the config is no JSON', 'org/broken', 'UnsupportedSharding', 'config.json is no JSON'],
    ['there is no config', 'org/bare', 'UnsupportedSharding', 'There is no config.json'],
  ])('before any byte moves: %s', async (_case, repo, code, text) => {
    const { message, moved } = await expectEnd({ repo, shardConfig: { engine, args: ranks(2) } }, code);
    expect(message).toContain(text);
    expect(moved).toEqual([]);
  });

  test('before more than a few lines move: Git LFS pointers in place of the weights', async () => {
    const input = { repo: 'org/pointers', shardConfig: { engine, args: ranks(2) } };
    const { message, moved } = await expectEnd(input, 'InvalidSafetensors');
    expect(message).toContain('model.safetensors: This is a Git LFS pointer, not the weights');
    expect(moved.reduce((sum, { bytesSent }) => sum + bytesSent, 0)).toBeLessThan(1024);
  });
});

async function brokenCommits(): Promise<Record<string, DevCommit>> {
  const split = await formulaCommit('mixtral', { split: 3 });
  const incomplete = withoutFiles(split, 'model-00002-of-00003.safetensors');
  const noIndex = withoutFiles(incomplete, INDEX);
  const weightless = withoutFiles(await formulaCommit('llama-untied'), 'model.safetensors');
  const text = (value: string) => ({ bytes: new TextEncoder().encode(value) });
  const withConfig = (config: object) => ({ ...incomplete.files, 'config.json': text(JSON.stringify(config)) });
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 4976698672\n`;
  return {
    incomplete,
    foreign: { files: withConfig({ architectures: ['FalconForCausalLM'] }) },
    'quantized-part': { files: withConfig({ quantization_config: { quant_method: 'awq', bits: 4 } }) },
    numbered: noIndex,
    weightless: withoutFiles(weightless, 'original/consolidated.00.pth'),
    empty: { files: { ...weightless.files, 'model.safetensors': text('') } },
    index: { files: { ...incomplete.files, [INDEX]: text('{"weight_map":') } },
    pointers: { files: { ...weightless.files, 'model.safetensors': text(pointer) } },
  };
}

function ranks(tensorParallelSize: number): ShardArgs {
  return { tensorParallelSize };
}

/** Ends by the code, with nothing stored; gives what was asked of the CDN. */
async function expectEnd(input: PrefetchInput, code: string) {
  const before = platform.hub.requests.length;
  const error = await platform.prefetch(input).catch((thrown: unknown) => thrown);
  expect(isPrefetchError(error) && error.code, String(error)).toBe(code);
  expect(await storedFiles(platform.folder)).toEqual([]);
  const moved = platform.hub.requests.slice(before).filter(({ origin }) => origin === 'cdn');
  return { message: String(error), moved };
}

/** Ends by the code, with nothing fetched and nothing stored. */
async function expectRefused(input: PrefetchInput, reason: string, wayOut: string): Promise<void> {
  const before = platform.hub.requests.length;
  const error = await platform.prefetch(input).catch((thrown: unknown) => thrown);
  expect(isPrefetchError(error, 'UnsupportedSharding'), String(error)).toBe(true);
  expect(String(error)).toContain(reason);
  expect(String(error)).toContain(wayOut);
  expect(platform.hub.requests.slice(before).filter(({ origin }) => origin === 'cdn')).toEqual([]);
  expect(await storedFiles(platform.folder)).toEqual([]);
}
