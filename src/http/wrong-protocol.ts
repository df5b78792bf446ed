import { isCertificateError } from './certificate-errors.js';

/** What a cut connection, a bad line or a server that is unwell looks like, too. */
const passing = /^HPE_(?:INVALID_EOF_STATE|CLOSED_CONNECTION)$|^ERR_SSL_.*(?:EOF|MAC|INTERNAL_ERROR|CLOSE_NOTIFY)/;

/** What the other side of a connection does not speak, by what Node calls the failure: no waiting heals that. */
export function spokenWrongly(code: string): 'TLS' | 'HTTP' | undefined {
  if (passing.test(code) || isCertificateError(code)) return undefined;
  if (code.startsWith('HPE_')) return 'HTTP';
  return code === 'EPROTO' || code.startsWith('ERR_SSL_') ? 'TLS' : undefined;
}

/** What to do about it, for a store: it is asked by the wrong scheme, most of the time. */
export function adviceOnProtocol(lacks: 'TLS' | 'HTTP'): string {
  return lacks === 'TLS'
    ? 'it does not speak TLS as it should: use http:// in AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_S3 if it has none'
    : 'it does not speak HTTP: use https:// in AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_S3 if it has TLS';
}
