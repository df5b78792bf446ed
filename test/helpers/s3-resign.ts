import { createHash, createHmac } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** A signed request on its way through a proxy. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query as they were sent: both are signed in that form. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/**
 * The headers without one of them, signed anew with the store's own secret: the SDK signs nearly every header, so that
 * leaving one out would break the signature (version 4).
 */
export function withoutSignedHeader(request: SignedRequest, name: string, secretKey: string): IncomingHttpHeaders {
  const kept = Object.fromEntries(Object.entries(request.headers).filter(([header]) => header !== name));
  const found = /Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=/.exec(
    String(kept['authorization'] ?? '')
  );
  if (found === null) return kept;
  const [, accessKey = '', scope = '', signedHeaders = ''] = found;
  const signed = signedHeaders.split(';').filter((header) => header !== name);
  const canonical = canonicalRequest({ ...request, headers: kept }, signed);
  const text = ['AWS4-HMAC-SHA256', String(kept['x-amz-date'] ?? ''), scope, sha256(canonical)].join('\n');
  const signature = hmac(signingKey(secretKey, scope), text).toString('hex');
  const authorization =
    `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, ` + `SignedHeaders=${signed.join(';')}, Signature=${signature}`;
  return { ...kept, authorization };
}

function canonicalRequest({ method, url, headers }: SignedRequest, signed: readonly string[]): string {
  const [path = '/', query = ''] = url.split('?');
  const pairs = query === '' ? [] : query.split('&').map((pair) => (pair.includes('=') ? pair : `${pair}=`));
  return [
    method,
    path,
    pairs.sort().join('&'),
    ...signed.map((header) => `${header}:${String(headers[header] ?? '').trim()}`),
    '',
    signed.join(';'),
    String(headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD'),
  ].join('\n');
}

/** Scope: date, region, service and a fixed word. */
function signingKey(secretKey: string, scope: string): Buffer {
  return scope.split('/').reduce<Buffer>((key, word) => hmac(key, word), Buffer.from(`AWS4${secretKey}`));
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
