import { headerByteLength, headerIncomplete, PREFIX_BYTES } from './header-length.js';
import { invalid, quoted } from './invalid.js';
import { readHeader, type Leniency } from './read-header.js';
import type { TensorEntry } from './tensor.js';

/** What the header of a file says. */
export interface SafetensorsHeader {
  /** Where the tensor data starts in the file. */
  readonly headerByteLength: number;
  readonly dataByteLength: number;
  /** `__metadata__` in its order, where the file has it. */
  readonly metadata: ReadonlyMap<string, string> | undefined;
  /** In the order of their bytes; together they are the data, without a gap. */
  readonly tensors: readonly TensorEntry[];
}

const OPENING_BRACE = 0x7b;

/**
 * Reads and checks a header, as strictly as the format's reference reader (safetensors 0.8.0). What it returns is sound:
 * every byte of the file belongs to one tensor of matching size. Two things are refused that the reference reads: the
 * format forbids a key twice, of which the reference takes the last; and a dimension from 2^53 on, which only a tensor
 * without data can have.
 * @param bytes - the file's first `headerByteLength` bytes, or more
 */
export function parseHeader(bytes: Uint8Array, fileSize: number): SafetensorsHeader {
  return parse(bytes, fileSize, 'none');
}

/**
 * The same for whoever must not refuse what the reference reader takes: of equal keys the last one counts, and dimensions
 * from 2^53 on are rounded.
 */
export function parseAsReference(bytes: Uint8Array, fileSize: number): SafetensorsHeader {
  return parse(bytes, fileSize, 'as-reference');
}

function parse(bytes: Uint8Array, fileSize: number, leniency: Leniency): SafetensorsHeader {
  const length = headerByteLength(bytes, fileSize);
  if (bytes.length < length) throw headerIncomplete(bytes.length, length);
  const { metadata, tensors } = readHeader(decode(bytes.subarray(PREFIX_BYTES, length)), leniency);
  const dataByteLength = fileSize - length;
  const sorted = tensors.toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(sorted, dataByteLength);
  return { headerByteLength: length, dataByteLength, metadata, tensors: sorted };
}

function decode(json: Uint8Array): string {
  // Before decoding, so that a byte order mark and other white space than JSON's are named.
  let start = 0;
  while (isSpace(json[start])) start++;
  const first = json[start];
  if (first !== OPENING_BRACE) {
    throw invalid(
      'header-start',
      `The header must start with "{", got ${first === undefined ? 'spaces only' : `byte ${String(first)}`}`
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
  } catch {
    throw invalid('header-utf8', 'The header is no valid UTF-8');
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function checkCoverage(tensors: readonly TensorEntry[], dataByteLength: number): void {
  let covered = 0;
  for (const { name, begin, end } of tensors) {
    if (begin !== covered) throw misplaced(name, begin, covered);
    covered = end;
  }
  if (covered === dataByteLength) return;
  throw invalid(
    covered > dataByteLength ? 'truncated' : 'trailing-bytes',
    `The tensors take ${String(covered)} bytes, but ${String(dataByteLength)} follow the header`
  );
}

function misplaced(name: string, begin: number, covered: number): Error {
  return invalid(
    begin > covered ? 'hole' : 'overlap',
    `Tensor ${quoted(name)} begins at ${String(begin)}, but the one before it ends at ${String(covered)}`
  );
}
