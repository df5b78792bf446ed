import { SignatureV4 } from '@smithy/signature-v4';

import type { HttpTarget } from '../../core/byte-source.js';
import { encodeKey } from '../store-url.js';
import { contextOf, type S3Connection } from './s3-connection.js';
import { credentialsOf } from './s3-credentials.js';
import { s3Error } from './s3-errors.js';
import { requestHeaders } from './s3-request-headers.js';

/** A request whose bytes move outside the SDK. */
export interface UnsignedRequest {
  readonly method: 'GET' | 'PUT';
  /** In the bucket, prefix and all. */
  readonly fullKey: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Signs requests of one connection. */
export type Signer = (request: UnsignedRequest) => Promise<HttpTarget>;

/**
 * A signer with the SDK's own credentials, which refresh themselves. The payload stays unsigned: its bytes are
 * streamed, and checksums guard them.
 */
export function makeSigner(connection: S3Connection): Signer {
  const signer = new SignatureV4({
    service: 's3',
    region: () => Promise.resolve(connection.signingRegion),
    credentials: () => credentialsOf(connection.client, connection),
    sha256: connection.client.config.sha256,
    // S3 signs paths as they are sent.
    uriEscapePath: false,
    applyChecksum: false,
  });
  return async (request) => {
    const { method, fullKey, query = {}, headers = {} } = request;
    const base = new URL(connection.bucketUrl);
    const path = base.pathname + encodeKey(fullKey);
    const kind = method === 'PUT' && query['uploadId'] === undefined ? 'create' : 'other';
    const how = requestHeaders(connection.requestOptions, kind);
    const unsigned = {
      method,
      protocol: base.protocol,
      hostname: base.hostname,
      path,
      query: { ...query },
      headers: { ...headers, ...how, host: base.host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' },
    };
    try {
      // The SDK learns from answers how far the clock of this machine is off.
      const signingDate = new Date(Date.now() + connection.client.config.systemClockOffset);
      const signed = await signer.sign(unsigned, { signingDate });
      const target = { url: base.origin + path + queryString(query), headers: signed.headers };
      return connection.ca === undefined ? target : { ...target, ca: connection.ca };
    } catch (error) {
      throw s3Error(error, contextOf(connection, 'sign a request for', fullKey));
    }
  };
}

function queryString(query: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(query).map(([name, value]) => `${encodeKey(name)}=${encodeURIComponent(value)}`);
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}
