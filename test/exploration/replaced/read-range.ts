import { PrefetchError } from '../../../src/core/errors.js';
import type { ByteRange } from '../../../src/core/byte-source.js';
import type { Content } from '../content.js';
import { portOf } from '../process.js';

/** The bytes of a range, of an object or of a file on the Hub. */
export async function readRange({
  url,
  range,
  totalSize,
}: {
  readonly url: string;
  readonly range: ByteRange;
  readonly totalSize: number;
}): Promise<Uint8Array> {
  const { port, path } = portOf(url);
  const { start, end } = range;
  const place = path.slice(path.indexOf('/') + 1);
  if (path.startsWith('fetch/')) return (await port.ask({ op: 'fetch', url: place, start, end })) as Uint8Array;
  const content = (await port.ask({ op: 'read', key: place })) as Content | undefined;
  if (content === undefined)
    throw new PrefetchError('SourceUnavailable', 'nothing there', { details: { status: 404 } });
  if (content.bytes.length !== totalSize) throw new PrefetchError('HubProtocol', 'another size');
  return content.bytes.subarray(start, end);
}
