import { invalid, quoted } from './invalid.js';

/** Bits of one element by dtype. The order is that of the format's own enum, and files are written by it. */
const bitsByDtype = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

/** Name of an element type, as headers spell it. */
export type Dtype = keyof typeof bitsByDtype;

/** What a tensor is, wherever its bytes lie. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: Dtype;
  /** Outermost dimension first; empty for a scalar. */
  readonly shape: readonly number[];
}

/** A tensor and where its bytes lie: `[begin, end)`, counted from the end of the header. */
export interface TensorEntry extends TensorSpec {
  readonly begin: number;
  readonly end: number;
}

/** Every dtype of the format, in the order of its enum. */
export const DTYPES: readonly Dtype[] = Object.keys(bitsByDtype).filter(isDtype);

/** Whether this is the name of a dtype. */
export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(bitsByDtype, name);
}

/** Bits of one element. */
export function dtypeBits(dtype: Dtype): number {
  return bitsByDtype[dtype];
}

/** Bytes of a tensor's data; fails for a shape that no file can hold or that does not come to whole bytes. */
export function tensorByteLength({ name, dtype, shape }: TensorSpec): number {
  let elements = 1;
  // From left to right, so that [0, big, big] is empty and [big, big, 0] overflows, as in the format's reference reader.
  for (const dimension of shape) {
    if (!Number.isSafeInteger(dimension) || dimension < 0) {
      throw invalid('shape', `Tensor ${quoted(name)}: a dimension must be an integer from 0, got ${String(dimension)}`);
    }
    elements *= dimension;
    if (!Number.isSafeInteger(elements)) throw overflow(name, shape);
  }
  const bits = elements * dtypeBits(dtype);
  if (!Number.isSafeInteger(bits)) throw overflow(name, shape);
  if (bits % 8 !== 0) {
    throw invalid(
      'partial-byte',
      `Tensor ${quoted(name)}: ${String(elements)} elements of ${dtype} are ${String(bits)} bits, which are no whole bytes`
    );
  }
  return bits / 8;
}

function overflow(name: string, shape: readonly number[]): Error {
  return invalid('shape-overflow', `Tensor ${quoted(name)}: shape ${quoted(shape.join(' x '))} overflows 2^53 bits`);
}
