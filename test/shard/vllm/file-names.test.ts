import { expect, test } from 'vitest';
import { checkFilePattern, shardFileName } from '../../../src/shard/vllm/file-names.js';

test('ranks and parts are plain numbers', () => {
  expect(shardFileName('model-rank-{rank}-part-{part}.safetensors', 3, 12)).toBe('model-rank-3-part-12.safetensors');
  expect(shardFileName('{part}.{rank}.{part}.safetensors', 1, 2)).toBe('2.1.2.safetensors');
});

test.each(['model-rank-{rank}-part-{part}.safetensors', '{rank}_{part}.safetensors', '{part}-of-{rank}.safetensors'])(
  '%s is a pattern',
  (pattern) => {
    expect(() => {
      checkFilePattern(pattern);
    }).not.toThrow();
  }
);

test.each([
  'model-{rank}.safetensors',
  'model-{part}.safetensors',
  '{rank}{part}.safetensors',
  'x-{rank}-{part}-{size}.safetensors',
  'x-{{rank}}-{part}.safetensors',
  'x-{rank:03d}-{rank}-{part}.safetensors',
  '../{rank}-{part}.safetensors',
  'x-{rank}-{part}}.safetensors',
])('%s is refused', (pattern) => {
  expect(() => {
    checkFilePattern(pattern);
  }).toThrow('InvalidInput: shardConfig.args.filePattern');
});
