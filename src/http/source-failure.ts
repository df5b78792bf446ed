import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { isCertificateError } from './certificate-errors.js';

/** The failure of a connection to a source, by what Node calls it. */
export function sourceFailure(origin: string, reason: string): PrefetchError {
  if (!isCertificateError(reason)) {
    return new PrefetchError('SourceUnavailable', `The connection to ${origin} failed (${reason}).`);
  }
  const text =
    `The certificate of ${origin} is not trusted (${reason}). Check its address and the clock; where a proxy or a mirror ` +
    'on the way has a certificate of its own, name its CA in NODE_EXTRA_CA_CERTS.';
  return new PrefetchError('HubProtocol', text, { details: { reason } });
}

/** Whether a source is not trusted. */
export function isUntrusted(error: unknown): boolean {
  return isPrefetchError(error, 'HubProtocol') && isCertificateError(String(error.details['reason']));
}
