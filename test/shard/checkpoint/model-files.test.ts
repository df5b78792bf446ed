import { describe, expect, test } from 'vitest';
import { weightsFiles } from '../../../src/shard/checkpoint/model-files.js';

const asFiles = (paths: readonly string[]) => paths.map((path) => ({ path }));
const pathsOf = (files: readonly { path: string }[]) => files.map(({ path }) => path);

describe('weights', () => {
  const files = asFiles([
    'model-00001-of-00002.safetensors',
    'model-00002-of-00002.safetensors',
    'extra.safetensors',
    'consolidated.safetensors',
    'consolidated-00001-of-00002.safetensors',
    'sub/model.safetensors',
    'pytorch_model.bin',
    'model.safetensors.txt',
  ]);

  test('are the safetensors at the top, but for those that Mistral has for its own programs', () => {
    expect(pathsOf(weightsFiles(files, undefined))).toEqual([
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'extra.safetensors',
    ]);
  });

  test('are only those that the index names, where there is one', () => {
    const indexed = new Set(['model-00002-of-00002.safetensors', 'sub/model.safetensors', 'consolidated.safetensors']);
    expect(pathsOf(weightsFiles(files, indexed))).toEqual(['model-00002-of-00002.safetensors']);
  });
});
