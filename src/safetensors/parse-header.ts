import { headerByteLength, headerIncomplete, PREFIX_BYTES } from './header-length.js';
import { invalid, quoted } from './invalid.js';
import { readHeader } from './read-header.js';
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
 * Reads and checks a header. What it returns is sound: every byte of the file belongs to one tensor of matching size.
 * @param bytes - the file's first `headerByteLength` bytes, or more
 */
export function parseHeader(bytes: Uint8Array, fileSize: number): SafetensorsHeader {
  const length = headerByteLength(bytes, fileSize);
  if (bytes.length < length) throw headerIncomplete(bytes.length, length);
  const { metadata, tensors } = readHeader(decode(bytes.subarray(PREFIX_BYTES, length)));
  const dataByteLength = fileSize - length;
  const sorted = tensors.toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(sorted, dataByteLength);
  return { headerByteLength: length, dataByteLength, metadata, tensors: sorted };
}

function decode(json: Uint8Array): string {
  // Before decoding, so that neither a byte order mark nor white space may come first.
  if (json[0] !== OPENING_BRACE) {
    throw invalid('header-start', `The header must start with "{", got byte ${String(json[0])}`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(json);
  } catch {
    throw invalid('header-utf8', 'The header is no valid UTF-8');
  }
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
