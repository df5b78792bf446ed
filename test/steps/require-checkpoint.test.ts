import { describe, expect, it } from 'vitest';
import { shardConfigSchema } from '../../src/core/schemas/input.js';
import { requireCheckpoint } from '../../src/steps/require-checkpoint.js';

const shardConfig = shardConfigSchema.parse({ args: { tensorParallelSize: 2 } });
const selected = (include: string[], exclude: string[] = []) => ({ kind: 'all' as const, include, exclude });

describe('requireCheckpoint', () => {
  it.each([
    [selected(['*.json']), ['config.json', 'tokenizer.json'], 'include (--include): expected .* got none for weights'],
    [selected(['*.safetensors']), ['model.safetensors'], 'include .* got none for config.json'],
    [selected([], ['config*']), ['model.safetensors'], 'exclude \\(--exclude\\): .* got none for config.json'],
    [selected(['*.md'], ['x']), ['README.md'], 'include .* and exclude .* got none for weights and config.json'],
  ])('refuses shards of %j before a byte moves, naming the globs', (selection, paths, text) => {
    expect(() => {
      requireCheckpoint({ shardConfig, selection }, paths);
    }).toThrow(new RegExp(`^InvalidInput: ${text.replace('(--include):', '\\(--include\\):')}`));
  });

  it.each([
    [
      'globs that take a whole checkpoint',
      { shardConfig, selection: selected(['*']) },
      ['config.json', 'pytorch_model.bin'],
    ],
    ['no shards', { selection: selected(['*.json']) }, ['config.json']],
    ['a repo that lacks them itself', { shardConfig, selection: selected([]) }, ['README.md']],
  ])('says nothing of %s', (_what, spec, paths) => {
    expect(() => {
      requireCheckpoint(spec, paths);
    }).not.toThrow();
  });
});
