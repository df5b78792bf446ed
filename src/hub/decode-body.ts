import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { foreignText } from '../core/foreign-text.js';
import { compressionsOf } from '../http/content-encoding.js';
import { header, type HubAnswer } from './exchange.js';
import { protocolError, type Subject } from './hub-errors.js';

const decoders = new Map([
  ['gzip', promisify(gunzip)],
  ['x-gzip', promisify(gunzip)],
  ['deflate', promisify(inflate)],
  ['br', promisify(brotliDecompress)],
]);

/** How many bytes a body may have, and how many it should have where that is known. */
export interface BodyBounds {
  readonly maxBytes: number;
  readonly size?: number | undefined;
}

/**
 * The body of an answer as it was before a proxy packed it, unasked; what comes out longer than allowed is refused. Some
 * servers say gzip of a file that is one, so what has the right length as it came stays as it is.
 */
export async function decodeBody(
  subject: Subject,
  answer: HubAnswer,
  { maxBytes, size }: BodyBounds
): Promise<HubAnswer> {
  const encoding = header(answer, 'content-encoding') ?? '';
  const compressions = compressionsOf(encoding);
  if (compressions.length === 0 || answer.body.byteLength === 0) return answer;
  const body = await unpack(answer.body, compressions, maxBytes);
  // Both may fit by chance; what came out just right was packed on its way.
  if (answer.body.byteLength === size && body?.byteLength !== size) return answer;
  if (body !== undefined) return { ...answer, body };
  const named = JSON.stringify(foreignText(encoding, 40));
  throw protocolError(subject, `a body encoded as ${named} though identity was asked for, which cannot be decoded`);
}

async function unpack(
  packed: Uint8Array,
  compressions: readonly string[],
  maxBytes: number
): Promise<Uint8Array | undefined> {
  let body = packed;
  for (const name of compressions.toReversed()) {
    try {
      // One byte more than is wanted, so that whoever counts the bytes sees that there are too many.
      const decoded = await decoders.get(name)?.(body, { maxOutputLength: maxBytes + 1 });
      if (decoded === undefined) return undefined;
      body = decoded;
    } catch {
      return undefined;
    }
  }
  return body;
}
