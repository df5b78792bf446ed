import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { isDtype, layoutFile, parseHeader, type Dtype, type TensorEntry } from '../../src/safetensors/index.js';

const golden = z
  .object({
    sources: z.record(z.string(), z.object({ headerText: z.string(), fileSha256: z.string() })),
    written: z.array(
      z.object({
        title: z.string(),
        size: z.number(),
        tensors: z.array(
          z.tuple([z.string(), z.custom<Dtype>((it) => typeof it === 'string' && isDtype(it)), z.array(z.number())])
        ),
      })
    ),
  })
  .parse(JSON.parse(await readFile(new URL('fixtures/golden.json', import.meta.url), 'utf8')));

function json(headerBytes: Uint8Array): string {
  return new TextDecoder().decode(headerBytes.subarray(8));
}

/** The bytes that the golden files have for a tensor: a formula of its name. */
function goldenBytes({ name, dtype, begin, end }: TensorEntry): Uint8Array {
  const blocks = Array.from({ length: Math.ceil((end - begin) / 32) }, (_, counter) =>
    createHash('sha256')
      .update(`${name}:${String(counter)}`)
      .digest()
  );
  const bytes = Buffer.concat(blocks).subarray(0, end - begin);
  // Finite values only.
  if (dtype === 'F32') for (let i = 3; i < bytes.length; i += 4) bytes.writeUInt8(bytes.readUInt8(i) & 0xbf, i);
  return bytes;
}

test.each(Object.entries(golden.sources))('a file of the reference writer comes out the same: %s', (_, source) => {
  const reference = Buffer.from(source.headerText);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(reference.length));
  const end = Math.max(...[...source.headerText.matchAll(/,(\d+)\]\}/g)].map(([, offset]) => Number(offset)));
  const header = parseHeader(Buffer.concat([prefix, reference]), 8 + reference.length + end);
  const layout = layoutFile([...header.tensors].reverse(), header.metadata);
  expect(json(layout.headerBytes)).toBe(source.headerText);
  const hash = createHash('sha256').update(layout.headerBytes);
  for (const tensor of layout.tensors) hash.update(goldenBytes(tensor));
  expect(hash.digest('hex')).toBe(source.fileSha256);
});

test.each(golden.written)('the order and the size are those of $title', ({ size, tensors }) => {
  const specs = tensors.map(([name, dtype, shape]) => ({ name, dtype, shape }));
  const layout = layoutFile([...specs].sort((a, b) => (a.name < b.name ? 1 : -1)));
  expect(layout.tensors.map(({ name }) => name)).toEqual(specs.map(({ name }) => name));
  expect(layout.headerBytes.length + layout.dataByteLength).toBe(size);
});

test('a file without tensors has 16 bytes', () => {
  const { headerBytes, dataByteLength } = layoutFile([]);
  expect(Buffer.from(headerBytes).toString('latin1')).toBe('\u0008\0\0\0\0\0\0\0{}      ');
  expect(dataByteLength).toBe(0);
  expect(createHash('sha256').update(headerBytes).digest('hex')).toBe(
    '9bbcbf73561f6bc5d0a17ea6a2081feed2d1304e87602d8c502d9a5c4bd85576'
  );
});

test('a header that fills its 8 bytes gets no padding', () => {
  const { headerBytes } = layoutFile([], new Map([['a', 'bc']]));
  expect(json(headerBytes)).toBe('{"__metadata__":{"a":"bc"}}     ');
  expect(json(layoutFile([], new Map([['a', 'bcdefgh']])).headerBytes)).toBe('{"__metadata__":{"a":"bcdefgh"}}');
});

test('wide dtypes come first, in the order of the enum from its end', () => {
  // prettier-ignore
  const order = ['U64', 'I64', 'F64', 'C64', 'F32', 'U32', 'I32', 'BF16', 'F16', 'U16', 'I16', 'F8_E5M2FNUZ', 'F8_E4M3FNUZ', 'F8_E8M0', 'F8_E4M3', 'F8_E5M2', 'I8', 'U8', 'F6_E3M2', 'F6_E2M3', 'F4', 'BOOL'] as const;
  const tensors = [...order].sort().map((dtype) => ({ name: dtype, dtype, shape: [4] }));
  expect(layoutFile(tensors).tensors.map(({ dtype }) => dtype)).toEqual(order);
  expect(layoutFile(tensors).dataByteLength).toBe(4 * (4 * 8 + 3 * 4 + 4 * 2 + 8) + 3 + 3 + 2);
});

test('names are ordered by their UTF-8 bytes, not by UTF-16 units', () => {
  const names = ['', 'A', 'a', 'a.', 'a.10', 'a.2', 'b', 'é', '\uffff', '\u{1f600}'];
  const tensors = [...names].reverse().map((name) => ({ name, dtype: 'U8' as const, shape: [] }));
  expect(layoutFile(tensors).tensors.map(({ name }) => name)).toEqual(names);
});

test('names and metadata are escaped as the reference writer does', () => {
  const text = '"\\/\b\f\n\r\t\u0000\u001f\u007f\u2028é\u{1f600}<';
  const escaped = String.raw`"\"\\/\b\f\n\r\t\u0000\u001f` + '\u007f\u2028é\u{1f600}<"';
  const { headerBytes } = layoutFile([{ name: text, dtype: 'U8', shape: [1] }], new Map([['k', text]]));
  expect(json(headerBytes).trimEnd()).toBe(
    `{"__metadata__":{"k":${escaped}},${escaped}:{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`
  );
});

const u8 = { dtype: 'U8', shape: [1] } as const;

test.each([
  [
    'tensor-name',
    'a name twice',
    [
      { name: 'a', ...u8 },
      { name: 'a', ...u8 },
    ],
  ],
  ['tensor-name', 'the name of the metadata', [{ name: '__metadata__', ...u8 }]],
  ['tensor-name', 'half a surrogate pair', [{ name: 'a\ud800', ...u8 }]],
  ['shape', 'a fraction', [{ name: 'a', dtype: 'U8', shape: [1.5] }]],
  ['shape', 'a negative dimension', [{ name: 'a', dtype: 'U8', shape: [-1, -1] }]],
  ['partial-byte', 'half a byte', [{ name: 'a', dtype: 'F4', shape: [1] }]],
  ['shape-overflow', 'too many elements', [{ name: 'a', dtype: 'U8', shape: [2 ** 40, 2 ** 40] }]],
  [
    'shape-overflow',
    'too many bytes together',
    Array.from({ length: 9 }, (_, i) => ({ name: String(i), dtype: 'U8' as const, shape: [2 ** 50 - 1] })),
  ],
  ['header-too-large', 'a header over the limit', [{ name: 'x'.repeat(100_000_000), ...u8 }]],
] as const)('%s: does not write %s', (reason, _, tensors) => {
  expect(() => layoutFile(tensors)).toThrow(
    expect.objectContaining({ code: 'InvalidSafetensors', details: { reason } })
  );
});

test.each(['f32', 'F128', 'toString', ''])(
  'dtype: does not write a dtype that only untyped code can ask for: %j',
  (name) => {
    const dtype = z.custom<Dtype>().parse(name);
    expect(() => layoutFile([{ name: 'a', dtype, shape: [1] }])).toThrow(
      expect.objectContaining({ code: 'InvalidSafetensors', details: { reason: 'dtype' } })
    );
  }
);
