import { noteSecret } from './secrets.js';

/** The parts of a proxy's URL, user and password as they are sent. */
export interface ProxyUrl {
  readonly protocol: string;
  /** Without the brackets of IPv6. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** Reads what a variable such as `HTTPS_PROXY` holds, as curl does: without a scheme it is http. */
export function readProxyUrl(value: string): ProxyUrl | undefined {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // A "/", "?" or "#" in a password that is not percent-encoded ends the name of the host.
  if (url === undefined || url.hostname === '' || /@/.test(`${url.pathname}${url.search}${url.hash}`)) return undefined;
  return {
    protocol: url.protocol,
    host: url.hostname.replaceAll(/^\[|\]$/g, ''),
    port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
    user: decoded(url.username),
    password: decoded(url.password),
  };
}

/** The password is a secret, and so is what is sent with the name of the user. */
export function noteProxySecrets(url: ProxyUrl | undefined): void {
  if (url === undefined || url.password === '') return;
  noteSecret(url.password);
  noteSecret(`${url.user}:${url.password}`);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
