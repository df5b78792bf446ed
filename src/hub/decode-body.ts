import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { foreignText } from '../core/foreign-text.js';
import { header, type HubAnswer } from './exchange.js';
import { protocolError, type Subject } from './hub-errors.js';

const decoders = new Map([
  ['gzip', promisify(gunzip)],
  ['x-gzip', promisify(gunzip)],
  ['deflate', promisify(inflate)],
  ['br', promisify(brotliDecompress)],
]);

/** The body of an answer as it was before a proxy packed it, unasked; what comes out longer than allowed is refused. */
export async function decodeBody(subject: Subject, answer: HubAnswer, maxBytes: number): Promise<HubAnswer> {
  const encoding = (header(answer, 'content-encoding') ?? 'identity').toLowerCase();
  if (encoding === 'identity' || answer.body.byteLength === 0) return answer;
  const decode = decoders.get(encoding);
  const problem = `a body encoded as ${JSON.stringify(foreignText(encoding, 40))} though identity was asked for`;
  if (decode === undefined) throw protocolError(subject, problem);
  try {
    // One byte more than is wanted, so that whoever counts the bytes sees that there are too many.
    return { ...answer, body: await decode(answer.body, { maxOutputLength: maxBytes + 1 }) };
  } catch {
    throw protocolError(subject, `${problem}, which cannot be decoded`);
  }
}
