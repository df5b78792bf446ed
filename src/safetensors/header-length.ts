import { invalid } from './invalid.js';

/** Bytes of the header's length, a little-endian u64, which the file starts with. */
export const PREFIX_BYTES = 8;

/** The format's own limit on the JSON header, padding included. */
export const MAX_JSON_BYTES = 100_000_000;

const MIN_JSON_BYTES = '{}'.length;

/** What stands in for a file in a clone without Git LFS: a few lines of text, which Git LFS itself keeps this short. */
const POINTER_START = new TextEncoder().encode('version ');
const MAX_POINTER_BYTES = 1024;

/**
 * How many bytes of the file come before the tensor data: what has to be read for `parseHeader`, and no more.
 * @param prefix - the file's first 8 bytes, or more
 */
export function headerByteLength(prefix: Uint8Array, fileSize: number): number {
  if (!Number.isSafeInteger(fileSize) || fileSize < PREFIX_BYTES) {
    throw invalid(
      'file-size',
      `A safetensors file has at least ${String(PREFIX_BYTES)} bytes, got ${String(fileSize)}`
    );
  }
  if (prefix.length < PREFIX_BYTES) throw headerIncomplete(prefix.length, PREFIX_BYTES);
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  if (fileSize <= MAX_POINTER_BYTES && startsAsPointer(prefix)) {
    throw invalid(
      'lfs-pointer',
      'This is a Git LFS pointer, not the weights: run "git lfs pull" in the clone; where the Hub itself has the pointer, ' +
        'the weights were pushed without Git LFS'
    );
  }
  const declared = `The header says that it has ${String(length)} bytes`;
  if (length > MAX_JSON_BYTES) {
    throw invalid('header-too-large', `${declared}; the format allows ${String(MAX_JSON_BYTES)}`);
  }
  if (length < MIN_JSON_BYTES) {
    throw invalid('header-too-small', `${declared}; the least is ${String(MIN_JSON_BYTES)}`);
  }
  if (Number(length) > fileSize - PREFIX_BYTES) {
    throw invalid('header-beyond-file', `${declared}; the file has ${String(fileSize)} in all`);
  }
  return PREFIX_BYTES + Number(length);
}

/** As a length it would be beyond any limit. */
function startsAsPointer(prefix: Uint8Array): boolean {
  return POINTER_START.every((byte, index) => prefix[index] === byte);
}

/** The error for a reader that was given less than the header. */
export function headerIncomplete(got: number, expected: number): Error {
  return invalid(
    'header-incomplete',
    `The header needs the file's first ${String(expected)} bytes, got ${String(got)}`
  );
}
