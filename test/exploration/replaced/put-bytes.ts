import { isPrefetchError } from '../../../src/core/errors.js';
import type { HttpAnswer } from '../../../src/core/http-answer.js';
import type { PutBytesRequest } from '../../../src/http/put-bytes.js';
import { contentOf } from '../content.js';
import { portOf } from '../process.js';

/** A PUT of a part to a store in memory. */
export async function putBytes({ target, body }: PutBytesRequest): Promise<HttpAnswer> {
  const { port, path } = portOf(target.url);
  try {
    const etag = await port.ask({ op: 'putPart', target: path.slice('part/'.length), body: contentOf(body) });
    return { status: 200, headers: { etag: String(etag) }, text: '', origin: 'mem://store' };
  } catch (error) {
    if (isPrefetchError(error, 'UploadNotFound')) return refused(404, 'NoSuchUpload');
    if (isPrefetchError(error)) return refused(503, 'SlowDown');
    throw error;
  }
}

function refused(status: number, code: string): HttpAnswer {
  return { status, headers: {}, text: `<Code>${code}</Code>`, origin: 'mem://store' };
}
