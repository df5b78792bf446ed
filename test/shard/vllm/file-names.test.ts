import { expect, test } from 'vitest';
import { shardFileName } from '../../../src/shard/vllm/file-names.js';

test('ranks and parts are plain numbers', () => {
  expect(shardFileName('model-rank-{rank}-part-{part}.safetensors', 3, 12)).toBe('model-rank-3-part-12.safetensors');
  expect(shardFileName('{part}.{rank}.{part}.safetensors', 1, 2)).toBe('2.1.2.safetensors');
});
