import { describe, expect, test } from 'vitest';
import { castInPlace, castLength } from '../../../src/shard/native/cast.js';
import type { Dtype } from '../../../src/safetensors/index.js';
import { random } from '../../helpers/random.js';

/** A format of 16 bits, by IEEE 754: how wide its exponent is says all. */
interface Format {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly nan: number;
}

const formats = {
  F16: { exponentBits: 5, mantissaBits: 10, nan: 0x7e00 },
  BF16: { exponentBits: 8, mantissaBits: 7, nan: 0x7fc0 },
} as const satisfies Record<string, Format>;

type Target = keyof typeof formats;

/** The value of 16 bits, by the definition alone; what lies past the largest finite value is one step more. */
function valueOf(bits: number, { exponentBits, mantissaBits }: Format): number {
  const exponent = (bits >> mantissaBits) & (2 ** exponentBits - 1);
  const mantissa = bits & (2 ** mantissaBits - 1);
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = bits >= 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * mantissa * 2 ** (1 - bias - mantissaBits);
  return sign * (1 + mantissa / 2 ** mantissaBits) * 2 ** (exponent - bias);
}

/** The nearest value of the format, the even one of two, found by looking at the neighbours; slow and plain. */
function roundTo(value: number, format: Format): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  if (Number.isNaN(value)) throw new Error('A NaN has no nearest value.');
  const infinity = (2 ** format.exponentBits - 1) << format.mantissaBits;
  const magnitude = Math.abs(value);
  if (magnitude >= valueOf(infinity, format)) return sign | infinity;
  let low = 0;
  let high = infinity;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (valueOf(middle, format) <= magnitude) low = middle;
    else high = middle;
  }
  const down = magnitude - valueOf(low, format);
  const up = valueOf(high, format) - magnitude;
  const nearest = down < up || (down === up && low % 2 === 0) ? low : high;
  return sign | nearest;
}

const words = new Uint32Array(1);
const singles = new Float32Array(words.buffer);

function single(bits: number): number {
  words[0] = bits;
  return singles[0] ?? NaN;
}

function isNan(bits: number): boolean {
  return (bits & 0x7fffffff) > 0x7f800000;
}

/** What a list of singles becomes, and what it should become. */
function castSingles(patterns: Uint32Array, target: Target): { got: Uint16Array; expected: Uint16Array } {
  const format = formats[target];
  const expected = Uint16Array.from(patterns, (bits) =>
    isNan(bits) ? ((bits >>> 16) & 0x8000) | format.nan : roundTo(single(bits), format)
  );
  const bytes = new Uint8Array(patterns.slice().buffer);
  const cast = castInPlace(bytes, 'F32', target);
  expect(cast.byteOffset).toBe(bytes.byteOffset);
  return { got: new Uint16Array(cast.buffer, cast.byteOffset, cast.length / 2), expected };
}

/** Fails with the first pattern that came out wrong, for two long lists say nothing. */
function expectEqual(patterns: ArrayLike<number>, got: Uint16Array, expected: Uint16Array): void {
  expect(got.length).toBe(expected.length);
  const wrong = got.findIndex((bits, index) => bits !== expected[index]);
  const hex = (bits = 0) => bits.toString(16);
  const shown = wrong < 0 ? '' : `${hex(patterns[wrong])} became ${hex(got[wrong])}, not ${hex(expected[wrong])}`;
  expect(shown).toBe('');
}

describe.each(['BF16', 'F16'] as const)('a single as %s', (target) => {
  test('is rounded to the nearest value, the even one of two', () => {
    // Every value of the target's own, and just below, on and above the middle of each step.
    const { exponentBits, mantissaBits } = formats[target];
    const steps = 2 ** (exponentBits + mantissaBits);
    const patterns: number[] = [];
    for (let bits = 0; bits + 1 < steps; bits++) {
      const [low, high] = [valueOf(bits, formats[target]), valueOf(bits + 1, formats[target])];
      singles[0] = (low + high) / 2;
      const middle = words[0] ?? 0;
      singles[0] = low;
      for (const pattern of [words[0] ?? 0, middle - 1, middle, middle + 1]) {
        if (!isNan(pattern)) patterns.push(pattern, pattern + 0x80000000);
      }
    }
    const { got, expected } = castSingles(Uint32Array.from(patterns), target);
    expectEqual(patterns, got, expected);
  });

  test('is right for patterns of any exponent', () => {
    const numbers = random(16);
    const patterns = Uint32Array.from(
      { length: 200_000 },
      () => (numbers.int(2) * 2 ** 31 + numbers.int(256) * 2 ** 23 + numbers.int(2 ** 23)) >>> 0
    );
    const { got, expected } = castSingles(patterns, target);
    expectEqual(patterns, got, expected);
  });

  test.each([
    ['zero', 0x00000000, 0x0000, 0x0000],
    ['minus zero', 0x80000000, 0x8000, 0x8000],
    ['one', 0x3f800000, 0x3f80, 0x3c00],
    ['infinity', 0x7f800000, 0x7f80, 0x7c00],
    ['minus infinity', 0xff800000, 0xff80, 0xfc00],
    ['the largest single', 0x7f7fffff, 0x7f80, 0x7c00],
    ['minus the largest single', 0xff7fffff, 0xff80, 0xfc00],
    ['the largest half', 0x477fe000, 0x4780, 0x7bff],
    ['the last that is no infinite half', 0x477fefff, 0x4780, 0x7bff],
    ['the first that is', 0x477ff000, 0x4780, 0x7c00],
    ['the smallest normal half', 0x38800000, 0x3880, 0x0400],
    ['the smallest half', 0x33800000, 0x3380, 0x0001],
    ['half of it, which is even at zero', 0x33000000, 0x3300, 0x0000],
    ['a bit more', 0x33000001, 0x3300, 0x0001],
    ['the smallest single', 0x00000001, 0x0000, 0x0000],
    ['its negative', 0x80000001, 0x8000, 0x8000],
    ['a single below the smallest normal one', 0x00408000, 0x0040, 0x0000],
  ])('%s', (_what, bits, bfloat, half) => {
    const { got } = castSingles(Uint32Array.of(bits), target);
    expect(got[0]).toBe(target === 'BF16' ? bfloat : half);
  });

  test.each([0x7f800001, 0x7fbfffff, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffffffff])(
    'that is NaN stays NaN, whatever else its bits say',
    (bits) => {
      const { got } = castSingles(Uint32Array.of(bits), target);
      expect(got[0]).toBe((bits >= 0x80000000 ? 0x8000 : 0) | formats[target].nan);
    }
  );
});

describe.each([
  ['F16', 'BF16'],
  ['BF16', 'F16'],
] as const)('%s as %s', (source, target) => {
  test('is right for each of the 65,536 there are', () => {
    const patterns = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);
    const format = formats[source];
    const infinity = (2 ** format.exponentBits - 1) << format.mantissaBits;
    const expected = patterns.map((bits) => {
      const magnitude = bits & 0x7fff;
      if (magnitude > infinity) return (bits & 0x8000) | formats[target].nan;
      const value = magnitude === infinity ? (bits >= 0x8000 ? -Infinity : Infinity) : valueOf(bits, format);
      return roundTo(value, formats[target]);
    });
    const bytes = new Uint8Array(patterns.slice().buffer);
    const cast = castInPlace(bytes, source, target);
    expectEqual(patterns, new Uint16Array(cast.buffer, cast.byteOffset, cast.length / 2), expected);
  });
});

describe.each(['F16', 'BF16'] as const)('%s as itself', (dtype) => {
  test('is not touched, not a bit of a NaN', () => {
    const patterns = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);
    const bytes = new Uint8Array(patterns.buffer);
    const before = bytes.slice();
    expect(castInPlace(bytes, dtype, dtype)).toBe(bytes);
    expect(Buffer.compare(bytes, before)).toBe(0);
  });

  test('may start at any address, for nothing looks at its elements', () => {
    const bytes = new Uint8Array(new ArrayBuffer(9), 1, 7);
    expect(castInPlace(bytes, dtype, dtype)).toBe(bytes);
  });
});

test('a cast stays inside the bytes that it was given', () => {
  const memory = new Uint8Array(24).fill(0xab);
  memory.set(new Uint8Array(Float32Array.of(1, -2).buffer), 8);
  const cast = castInPlace(memory.subarray(8, 16), 'F32', 'BF16');
  expect([cast.byteOffset, cast.length]).toEqual([8, 4]);
  expect([...new Uint16Array(memory.buffer, 8, 2)]).toEqual([0x3f80, 0xc000]);
  expect([...memory.subarray(0, 8), ...memory.subarray(16)].every((byte) => byte === 0xab)).toBe(true);
});

test('a cast of nothing is nothing', () => {
  for (const source of ['F32', 'F16', 'BF16'] as const) {
    expect(castInPlace(new Uint8Array(0), source, 'BF16').length).toBe(0);
  }
});

test.each([
  ['F32', 4096, 'BF16', 2048],
  ['F16', 4096, 'BF16', 4096],
  ['BF16', 4096, 'BF16', 4096],
  ['F32', 4096, 'F32', 4096],
  ['F8_E4M3', 4096, 'F8_E4M3', 4096],
] as readonly (readonly [Dtype, number, Dtype, number])[])(
  '%s of %i bytes are, as %s, %i',
  (source, bytes, target, expected) => {
    expect(castLength(bytes, source, target)).toBe(expected);
  }
);

test.each([
  ['BF16', 'F32'],
  ['F8_E4M3', 'BF16'],
  ['F32', 'F8_E4M3'],
] as const)('%s to %s is a cast that nobody made, and no other one in its place', (source, target) => {
  expect(() => castInPlace(new Uint8Array(8), source, target)).toThrow(`no cast from ${source} to ${target}`);
});
