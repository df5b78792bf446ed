import * as tls from 'node:tls';

/** By the certificates that are trusted besides: making a context of all of them takes milliseconds. */
const contexts = new Map<string, tls.SecureContext>();

/** How TLS is spoken where further authorities (PEM) are trusted besides those that this process trusts anyway. */
export function contextWith(ca: string): tls.SecureContext {
  const known = contexts.get(ca);
  if (known !== undefined) return known;
  const context = tls.createSecureContext({ ca: [...trustedAnyway(), ca] });
  contexts.set(ca, context);
  return context;
}

/** With those of NODE_EXTRA_CA_CERTS and of the system, where this Node tells them: the oldest ones do not. */
function trustedAnyway(): readonly string[] {
  const ask: unknown = Reflect.get(tls, 'getCACertificates');
  const found: unknown = typeof ask === 'function' ? Reflect.apply(ask, tls, ['default']) : undefined;
  return Array.isArray(found) ? found.filter((certificate) => typeof certificate === 'string') : tls.rootCertificates;
}
