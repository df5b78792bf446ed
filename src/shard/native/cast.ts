import { dtypeBits, type Dtype } from '../../safetensors/index.js';

/** Bytes of one element. */
export function elementBytes(dtype: Dtype): number {
  return dtypeBits(dtype) / 8;
}

/** What so many bytes of a source come to after the cast. */
export function castLength(bytes: number, source: Dtype, target: Dtype): number {
  return (bytes / elementBytes(source)) * elementBytes(target);
}

/**
 * Casts elements in place, rounding to nearest even as torch does, and gives the bytes that hold the result. Between
 * equal types nothing is touched, whatever the bits. Otherwise a NaN becomes the one quiet NaN of the target.
 * @param bytes - little-endian elements, at an address that is a multiple of four
 */
export function castInPlace(bytes: Uint8Array, source: Dtype, target: Dtype): Uint8Array {
  if (source === target) return bytes;
  if (source === 'F32' && target === 'BF16') return narrow(bytes, 'BF16');
  if (source === 'F32' && target === 'F16') return narrow(bytes, 'F16');
  if (source === 'F16' && target === 'BF16') return replace(bytes, fromFloat16());
  if (source === 'BF16' && target === 'F16') return replace(bytes, fromBfloat16());
  throw new Error(`There is no cast from ${source} to ${target}`);
}

function narrow({ buffer, byteOffset, length }: Uint8Array, target: 'BF16' | 'F16'): Uint8Array {
  // Signed, for V8 keeps such numbers in registers where others become floats.
  const words = new Int32Array(buffer, byteOffset, length / 4);
  const halves = new Uint16Array(buffer, byteOffset, length / 4);
  // Results are narrower than their sources, so that none is written before it was read.
  if (target === 'BF16') for (let i = 0; i < words.length; i++) halves[i] = toBfloat16(words[i] ?? 0);
  else for (let i = 0; i < words.length; i++) halves[i] = toFloat16(words[i] ?? 0);
  return new Uint8Array(buffer, byteOffset, length / 2);
}

function replace(bytes: Uint8Array, table: Uint16Array): Uint8Array {
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  for (let i = 0; i < halves.length; i++) halves[i] = table[halves[i] ?? 0] ?? 0;
  return bytes;
}

const BF16_NAN = 0x7fc0;
const F16_NAN = 0x7e00;
const F16_INFINITY = 0x7c00;

/** The upper half of a float's bits, rounded by the lower half. */
function toBfloat16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return BF16_NAN | ((bits >>> 16) & 0x8000);
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) | 0) >>> 16;
}

/** IEEE 754 single to half: too large becomes infinity, too small a subnormal or zero. */
function toFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | F16_NAN;
  // From 65520 on, which is half way between the largest half and the next step, everything rounds to infinity.
  if (magnitude >= 0x477ff000) return sign | F16_INFINITY;
  if (magnitude >= 0x38800000) {
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  // Below 2^-25, half of the smallest subnormal, nothing is left.
  if (magnitude < 0x33000000) return sign;
  const shift = 126 - (magnitude >>> 23);
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const kept = mantissa >>> shift;
  const lost = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (lost > half || (lost === half && (kept & 1) === 1) ? 1 : 0));
}

let float16Table: Uint16Array | undefined;
let bfloat16Table: Uint16Array | undefined;

/** Every half as bfloat16; there are only 65,536 of them. */
function fromFloat16(): Uint16Array {
  return (float16Table ??= Uint16Array.from({ length: 0x10000 }, (_, half) => toBfloat16(widenFloat16(half))));
}

function fromBfloat16(): Uint16Array {
  return (bfloat16Table ??= Uint16Array.from({ length: 0x10000 }, (_, half) => toFloat16(half << 16)));
}

/** Bits of the single that is equal to a half. */
function widenFloat16(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (mantissa << 13);
  if (mantissa === 0) return sign;
  // A subnormal: shifted until its first bit is the hidden one.
  const shift = Math.clz32(mantissa) - 21;
  return sign | ((113 - shift) << 23) | ((mantissa << (13 + shift)) & 0x7fffff);
}
