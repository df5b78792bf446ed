import { expect, test } from 'vitest';
import { shardFileName } from '../../src/shard/file-names.js';

test.each([
  ['model-rank-{rank}-part-{part}.safetensors', 'model-rank-11-part-2.safetensors'],
  ['{part}of{rank}.safetensors', '2of11.safetensors'],
  ['{rank}-{part}-{rank}.safetensors', '11-2-11.safetensors'],
  ['$&-{rank}-{part}.safetensors', '$&-11-2.safetensors'],
])('files are called by the pattern %s, with plain numbers', (filePattern, expected) => {
  expect(shardFileName({ filePattern }, 11, 2)).toBe(expected);
});
