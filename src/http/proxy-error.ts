import { PrefetchError, type ErrorCode } from '../core/errors.js';
import { isCertificateError } from './certificate-errors.js';
import { proxyFor, type Proxy } from './proxies.js';

/** Answers to CONNECT below 500 that another try may change. */
const passing = [408, 425, 429];

/** Why a proxy gave no connection. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';

  constructor(
    readonly proxy: Pick<Proxy, 'address' | 'variable'>,
    text: string,
    /** The proxy is at work and says no, or is not to be trusted. */
    readonly refused: boolean,
    /** As in errors of Node. */
    readonly code: string | undefined
  ) {
    super(text);
  }
}

/** The proxy could not be reached, or went away, or is not trusted. */
export function proxyIsDown(proxy: Proxy, code: string): ProxyError {
  const { address, variable } = proxy;
  const problem = `The proxy ${address} (${variable}) cannot be reached (${code})`;
  // It will show the same certificate to the next try.
  const refused = isCertificateError(code);
  const text = refused
    ? `${problem}: its certificate is not trusted. Name its CA in NODE_EXTRA_CA_CERTS, and check ${variable} and the clock`
    : `${problem}. Check ${variable}, NO_PROXY and the proxy`;
  return new ProxyError(proxy, text, refused, code);
}

/** The proxy answered, and gave no connection to the host. */
export function proxySaidNo(proxy: Proxy, status: number, host: string): ProxyError {
  const { address, variable } = proxy;
  const who = `The proxy ${address} (${variable})`;
  if (status === 407) {
    const text = `${who} asks for a user and a password that it knows (status 407). Put them into ${variable}, percent-encoded`;
    return new ProxyError(proxy, text, true, undefined);
  }
  const refused = status < 500 && !passing.includes(status);
  const advice = refused
    ? `Allow ${host} there, or name it in NO_PROXY`
    : `Check the proxy, or name ${host} in NO_PROXY`;
  return new ProxyError(
    proxy,
    `${who} gave no connection to ${host} (status ${status}). ${advice}`,
    refused,
    undefined
  );
}

/** What the failure of a proxy is called; undefined for all other errors. An outage has the code of what was asked for. */
export function proxyFailure(error: unknown, outage: ErrorCode): PrefetchError | undefined {
  if (!(error instanceof ProxyError)) return undefined;
  return new PrefetchError(error.refused ? 'ProxyRefused' : outage, error.message, {
    details: { proxy: error.proxy.address, variable: error.proxy.variable, reason: error.code },
    cause: error,
  });
}

/** A request without a tunnel is refused by an answer, and this status is one of proxies alone. */
export function refusalOfProxy(target: string, status: number | undefined): PrefetchError | undefined {
  if (status !== 407 || !URL.canParse(target)) return undefined;
  const url = new URL(target);
  const proxy = proxyFor(url);
  return proxy === undefined ? undefined : proxyFailure(proxySaidNo(proxy, status, url.host), 'ProxyRefused');
}
