import { expect, test } from 'vitest';
import { parseIndex } from '../../src/safetensors/index.js';

test('an index tells the file of each tensor and the size of all', () => {
  const weight_map = { 'b.weight': 'model-00001-of-00002.safetensors', a: 'sub/model-00002-of-00002.safetensors' };
  expect(parseIndex({ metadata: { total_size: 10, other: [] }, weight_map, extra: 1 })).toEqual({
    weightMap: new Map(Object.entries(weight_map)),
    totalSize: 10,
  });
});

test.each([
  {},
  { metadata: {} },
  { metadata: null },
  { metadata: [] },
  { metadata: 'pt' },
  ...[null, -1, 1.5, 2 ** 53, '10', [10]].map((total_size) => ({ metadata: { total_size } })),
])('an index may lack its total size, or have one that is no number of bytes: %j', (fields) => {
  expect(parseIndex({ weight_map: {}, ...fields }).totalSize).toBeUndefined();
});

test('a tensor may have a name that objects inherit', () => {
  const index: unknown = JSON.parse('{"weight_map":{"__proto__":"a.safetensors"}}');
  expect(parseIndex(index).weightMap).toEqual(new Map([['__proto__', 'a.safetensors']]));
});

test.each([
  undefined,
  null,
  'text',
  [],
  {},
  { weight_map: [] },
  { weight_map: null },
  { weight_map: { a: 1 } },
  { weight_map: { a: null } },
])('no index: %j', (value) => {
  expect(() => parseIndex(value)).toThrow(
    expect.objectContaining({ code: 'InvalidSafetensors', permanent: true, details: { reason: 'index' } })
  );
});

test.each(['../a.safetensors', '/etc/passwd', 'a/../../b', String.raw`..\a`, '', '.', 'a//b', 'a\u0000b'])(
  'a file name that could leave the repo is refused: %j',
  (file) => {
    const refuse = () => parseIndex({ weight_map: { a: file } });
    expect(refuse).toThrow(expect.objectContaining({ code: 'UnsafePath' }));
    // The repo lists no such path, and no glob could leave it out.
    expect(refuse).toThrow(/weight_map puts "a" into a file whose name /);
    expect(refuse).not.toThrow(/repo lists|exclude/);
  }
);
