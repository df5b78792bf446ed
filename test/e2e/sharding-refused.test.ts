import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PrefetchInput } from '../../src/core/contract.js';
import { isPrefetchError } from '../../src/core/errors.js';
import type { DevCommit } from '../../src/dev-hub/index.js';
import { startPlatform, type Platform } from '../helpers/platform.js';
import { formulaCommit } from '../helpers/shard-repos.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { storedFiles } from '../helpers/tmp.js';

type ShardArgs = NonNullable<PrefetchInput['shardConfig']>['args'];

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

function ranks(tensorParallelSize: number): ShardArgs {
  return { tensorParallelSize };
}

/** Ends by the code, with nothing fetched and nothing stored. */
async function expectRefused(input: PrefetchInput, reason: string, wayOut: string): Promise<void> {
  const error = await platform.prefetch(input).catch((thrown: unknown) => thrown);
  expect(isPrefetchError(error, 'UnsupportedSharding'), String(error)).toBe(true);
  expect(String(error)).toContain(reason);
  expect(String(error)).toContain(wayOut);
  expect(platform.hub.requests.filter(({ origin }) => origin === 'cdn')).toEqual([]);
  expect(await storedFiles(platform.folder)).toEqual([]);
}
