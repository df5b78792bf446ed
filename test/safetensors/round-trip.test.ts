import { expect, test } from 'vitest';
import { isPrefetchError } from '../../src/core/errors.js';
import {
  DTYPES,
  dtypeBits,
  layoutFile,
  parseHeader,
  type Dtype,
  type TensorSpec,
} from '../../src/safetensors/index.js';
import { random, type Random } from '../helpers/random.js';

const PIECES = [
  'a',
  '.',
  'weight',
  '0',
  '10',
  'é',
  '\u{1f600}',
  '\uffff',
  '"',
  '\\',
  '\n',
  '\u0000',
  '\u007f',
  '__proto__',
] as const;

function someName({ int, pick }: Random): string {
  return Array.from({ length: int(5) }, () => pick(PIECES)).join('');
}

function someTensors(it: Random): TensorSpec[] {
  const [first = 'U8', ...others] = DTYPES;
  const names = new Set(Array.from({ length: it.int(8) }, () => someName(it)));
  return [...names].map((name) => {
    const dtype: Dtype = it.pick([first, ...others]);
    const shape = Array.from({ length: it.int(4) }, () => it.int(6));
    return { name, dtype, shape: dtypeBits(dtype) < 8 ? [...shape, 4] : shape };
  });
}

function someMetadata(it: Random): ReadonlyMap<string, string> | undefined {
  if (it.int(2) === 0) return undefined;
  return new Map(Array.from({ length: it.int(4) }, () => [someName(it), someName(it)]));
}

test('what is laid out is read back, with any names, shapes and metadata', () => {
  const it = random(1);
  for (let round = 0; round < 500; round++) {
    const tensors = someTensors(it);
    const metadata = someMetadata(it);
    const layout = layoutFile(tensors, metadata);
    const header = parseHeader(layout.headerBytes, layout.headerBytes.length + layout.dataByteLength);
    expect(layout.headerBytes.length % 8).toBe(0);
    expect(header).toEqual({
      headerByteLength: layout.headerBytes.length,
      dataByteLength: layout.dataByteLength,
      metadata,
      tensors: layout.tensors,
    });
    // Neither the order of the input nor a round trip changes a byte.
    expect(layoutFile([...tensors].reverse(), metadata)).toEqual(layout);
    expect(layoutFile(header.tensors, header.metadata)).toEqual(layout);
  }
});

test('a damaged header is refused by name or is sound, and nothing else happens', () => {
  const it = random(2);
  let refused = 0;
  for (let round = 0; round < 5_000; round++) {
    const layout = layoutFile([...someTensors(it), { name: 'last', dtype: 'F32', shape: [3, 1] }], someMetadata(it));
    const bytes = damaged(layout.headerBytes, it);
    const fileSize = bytes.length + layout.dataByteLength;
    try {
      const { headerByteLength, dataByteLength, tensors } = parseHeader(bytes, fileSize);
      expect(headerByteLength + dataByteLength).toBe(fileSize);
      expect(tensors.reduce((covered, { begin, end }) => (begin === covered ? end : NaN), 0)).toBe(dataByteLength);
    } catch (error) {
      if (!isPrefetchError(error, 'InvalidSafetensors')) throw error;
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(2_500);
});

/** Some bytes changed, put in, taken out or doubled; half of the time the declared length is repaired. */
function damaged(original: Uint8Array, { int, pick }: Random): Uint8Array {
  let bytes = Uint8Array.from(original);
  for (let times = 1 + int(3); times > 0; times--) {
    const from = int(bytes.length);
    const to = Math.min(bytes.length, from + int(12));
    const byte = pick([int(256), 0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d, 0x2c, 0x3a, 0x30, 0x2d]);
    const middle = pick<readonly number[]>([
      [byte],
      [byte, ...bytes.subarray(from, to)],
      [],
      [...bytes.subarray(from, to), ...bytes.subarray(from, to)],
    ]);
    bytes = Uint8Array.from([...bytes.subarray(0, from), ...middle, ...bytes.subarray(to)]);
  }
  if (bytes.length >= 8 && int(2) === 0) new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true);
  return bytes;
}
