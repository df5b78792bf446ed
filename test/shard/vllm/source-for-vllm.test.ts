import { describe, expect, test } from 'vitest';
import { sourceForVllm } from '../../../src/shard/vllm/source-for-vllm.js';

const named = (...paths: readonly string[]) => paths.map((path) => ({ path, size: 1 }));
const take = (...paths: readonly string[]) => sourceForVllm(named(...paths)).map(({ path }) => path);

test('weights in safetensors, config, tokenizer and code are taken, and nothing for people or for other programs', () => {
  const needed = [
    'config.json',
    'configuration_model.py',
    'generation_config.json',
    'merges.txt',
    'model-00001-of-00002.safetensors',
    'model-00002-of-00002.safetensors',
    'model.safetensors.index.json',
    'tokenizer.json',
    'tokenizer.model',
  ];
  const others = [
    'LICENSE',
    'README.md',
    'USE_POLICY.md',
    'original/consolidated.00.pth',
    'original/params.json',
    'pytorch_model.bin',
    'onnx/model.onnx',
    'model.gguf',
    'consolidated.safetensors',
    'figure.png',
  ];
  expect(take(...needed, ...others)).toEqual(needed);
});

test('what is known of a file comes back with it', () => {
  const files = named('config.json', 'model.safetensors');
  expect(sourceForVllm(files)[1]).toBe(files[1]);
});

test('weights of Mistral in its own format are taken where there are no others', () => {
  expect(take('params.json', 'consolidated.safetensors')).toEqual(['params.json', 'consolidated.safetensors']);
});

describe('what vLLM cannot shard is refused by name:', () => {
  test.each([
    ['weights that are no safetensors', ['config.json', 'pytorch_model.bin'], 'no weights in safetensors'],
    ['weights in a folder only', ['config.json', 'unet/model.safetensors'], 'no weights in safetensors'],
    ['no weights', ['config.json'], 'no weights in safetensors'],
    ['no config', ['model.safetensors'], 'no config.json'],
    ['a LoRA adapter', ['adapter_config.json', 'adapter_model.safetensors', 'config.json'], 'LoRA adapter'],
  ])('%s', (_what, paths, words) => {
    expect(() => take(...paths)).toThrow(
      expect.objectContaining({ code: 'UnsupportedSharding', message: expect.stringContaining(words) as string })
    );
  });
});
