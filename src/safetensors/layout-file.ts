import { MAX_JSON_BYTES, PREFIX_BYTES } from './header-length.js';
import { invalid, quoted } from './invalid.js';
import { METADATA_KEY } from './read-header.js';
import { DTYPES, isDtype, tensorByteLength, type TensorEntry, type TensorSpec } from './tensor.js';

/** A file to be written: the header, then the data of each tensor, in this order and with nothing between them. */
export interface FileLayout {
  /** The length, the JSON and its padding. */
  readonly headerBytes: Uint8Array<ArrayBuffer>;
  readonly dataByteLength: number;
  readonly tensors: readonly TensorEntry[];
}

const encoder = new TextEncoder();

/** Lays a file out as the format's reference writer does, byte for byte; `metadata` is written in its own order. */
export function layoutFile(tensors: readonly TensorSpec[], metadata?: ReadonlyMap<string, string>): FileLayout {
  checkNames(tensors);
  let covered = 0;
  const placed = inWritingOrder(tensors).map(({ name, dtype, shape }) => {
    const begin = covered;
    covered += tensorByteLength({ name, dtype, shape });
    if (!Number.isSafeInteger(covered)) throw invalid('shape-overflow', 'The tensors have over 2^53 bytes together');
    return { name, dtype, shape, begin, end: covered };
  });
  return { headerBytes: encodeHeader(placed, metadata), dataByteLength: covered, tensors: placed };
}

function checkNames(tensors: readonly TensorSpec[]): void {
  const seen = new Set<string>([METADATA_KEY]);
  for (const { name, dtype } of tensors) {
    if (seen.has(name)) throw invalid('tensor-name', `The tensor name ${quoted(name)} is taken`);
    if (!isDtype(dtype)) throw invalid('dtype', `Tensor ${quoted(name)} has a dtype that the format lacks`);
    seen.add(name);
  }
}

/** By dtype from the end of its enum, so that wide elements stay aligned, then by the UTF-8 bytes of the name. */
function inWritingOrder(tensors: readonly TensorSpec[]): TensorSpec[] {
  return tensors
    .map((tensor) => ({ tensor, rank: DTYPES.indexOf(tensor.dtype), name: encoder.encode(tensor.name) }))
    .sort((a, b) => b.rank - a.rank || compareBytes(a.name, b.name))
    .map(({ tensor }) => tensor);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function encodeHeader(
  tensors: readonly TensorEntry[],
  metadata: ReadonlyMap<string, string> | undefined
): Uint8Array<ArrayBuffer> {
  const members = tensors.map(
    ({ name, dtype, shape, begin, end }) =>
      `${escape(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`
  );
  if (metadata !== undefined) {
    const entries = [...metadata].map(([key, value]) => `${escape(key)}:${escape(value)}`);
    members.unshift(`${JSON.stringify(METADATA_KEY)}:{${entries.join(',')}}`);
  }
  const json = encoder.encode(`{${members.join(',')}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  if (padded > MAX_JSON_BYTES) {
    throw invalid(
      'header-too-large',
      `The header has ${String(padded)} bytes; the format allows ${String(MAX_JSON_BYTES)}`
    );
  }
  const header = new Uint8Array(PREFIX_BYTES + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, PREFIX_BYTES);
  return header;
}

/** For well-formed text `JSON.stringify` escapes just what the reference writer does, and in the same way. */
function escape(text: string): string {
  if (/\p{Surrogate}/u.test(text)) throw invalid('tensor-name', `${quoted(text)} is no well-formed Unicode`);
  return JSON.stringify(text);
}
