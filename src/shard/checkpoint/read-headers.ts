import type { ByteSource } from '../../core/byte-source.js';
import { isPrefetchError, rewrap, type PrefetchError } from '../../core/errors.js';
import { requireAt } from '../../core/require-at.js';
import type { StoredFile } from '../../core/stored-file.js';
import { MiB } from '../../core/units.js';
import { headerByteLength, parseAsReference, parseHeader, type SafetensorsHeader } from '../../safetensors/index.js';
import { mapAtOnce } from '../../tasks/for-each-at-once.js';
import { openObjects } from '../../transfer/read/open-objects.js';
import { unsupported } from '../layout/unsupported.js';
import type { Checkpoint, CheckpointPlace } from './read-checkpoint.js';

/** A real header has kilobytes to a few megabytes; the format's limit of 100 MB would cost gigabytes to parse. */
const MOST_HEADER_BYTES = 32 * MiB;
/** All headers are in memory at once. The largest models have some 12 MB in all, and 100,000 tensors. */
const MOST_BYTES_IN_ALL = 128 * MiB;
const MOST_TENSORS = 1_000_000;
/** More than most headers have, so that most files are asked once. */
const FIRST_READ = 64 * 1024;
const FILES_AT_ONCE = 8;

/**
 * Reads the headers of weights files; `UnsupportedSharding` where they are larger than those of any model. What only the
 * format forbids is read as vLLM reads it, and comes with the refusal of it.
 */
export async function readHeaders(
  { context, store, dirKey }: Pick<CheckpointPlace, 'context' | 'store' | 'dirKey'>,
  files: readonly StoredFile[],
  { signal }: { readonly signal: AbortSignal }
): Promise<{ readonly weights: Checkpoint['weights']; readonly refusal: PrefetchError | undefined }> {
  const objects = files.map(({ path, size }) => ({ key: `${dirKey}${path}`, size }));
  const opened = openObjects(context, store, objects);
  const limits = limitHeaders();
  try {
    const read = await mapAtOnce(files.entries(), { limit: FILES_AT_ONCE, signal }, async ([number, file], inner) => {
      const { header, refusal } = await readHeader({ source: requireAt(opened.sources, number), limits }, file, inner);
      limits.addTensors(file, header.tensors.length);
      return { weights: { ...file, header }, refusal };
    });
    return {
      weights: read.map(({ weights }) => weights),
      refusal: read.find(({ refusal }) => refusal !== undefined)?.refusal,
    };
  } finally {
    await opened.close();
  }
}

interface HeaderReading {
  readonly source: ByteSource;
  readonly limits: HeaderLimits;
}

async function readHeader(
  { source, limits }: HeaderReading,
  file: StoredFile,
  options: { readonly signal: AbortSignal }
): Promise<{ readonly header: SafetensorsHeader; readonly refusal?: PrefetchError }> {
  const { path, size } = file;
  let bytes = new Uint8Array(Math.min(FIRST_READ, size));
  await source.read({ start: 0, end: bytes.length }, bytes, options);
  try {
    const length = headerByteLength(bytes, size);
    limits.addBytes(file, length);
    if (length > bytes.length) {
      bytes = new Uint8Array(length);
      await source.read({ start: 0, end: length }, bytes, options);
    }
    return { header: parseHeader(bytes, size) };
  } catch (error) {
    if (!isPrefetchError(error, 'InvalidSafetensors')) throw error;
    const header = readAsReference(bytes, size);
    if (header !== undefined) return { header, refusal: unsupported('header', `${path}: ${error.text}`, { path }) };
    throw rewrap(error, { text: `${path}: ${error.text}`, details: { path } });
  }
}

/** What vLLM can read is not broken, though it may not be what the format allows. */
function readAsReference(bytes: Uint8Array, size: number): SafetensorsHeader | undefined {
  try {
    return parseAsReference(bytes, size);
  } catch {
    return undefined;
  }
}

/** What the headers of a checkpoint may come to; whoever adds too much fails. */
interface HeaderLimits {
  /** Before they are read. */
  addBytes(file: StoredFile, bytes: number): void;
  addTensors(file: StoredFile, tensors: number): void;
}

function limitHeaders(): HeaderLimits {
  let bytesInAll = 0;
  let tensorsInAll = 0;
  return {
    addBytes({ path }, bytes) {
      bytesInAll += bytes;
      if (bytes > MOST_HEADER_BYTES) throw tooLarge(path, `${path} has a header of ${bytes} bytes`);
      if (bytesInAll > MOST_BYTES_IN_ALL) {
        throw tooLarge(path, `With ${path} the weights files have more than ${MOST_BYTES_IN_ALL} bytes of headers`);
      }
    },
    addTensors({ path }, tensors) {
      tensorsInAll += tensors;
      if (tensorsInAll > MOST_TENSORS) {
        throw tooLarge(path, `With ${path} the weights files have more than ${MOST_TENSORS} tensors`);
      }
    },
  };
}

function tooLarge(path: string, text: string): PrefetchError {
  return unsupported('header-too-large', `${text}, which no model needs`, { path });
}
