import { BlockList, isIP } from 'node:net';

/** Tells whether a URL is to be asked for without a proxy. */
export type GoesDirectly = (url: URL) => boolean;

/**
 * Reads `NO_PROXY` as curl and Python's requests do: names with all that is below them, addresses, networks, any of the
 * first two with a port, and `*` for everything.
 */
export function readNoProxy(list: string): GoesDirectly {
  const rules = list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map(readEntry);
  return (url) => {
    const host = withoutBrackets(url.hostname).replace(/\.$/, '');
    const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
    return rules.some((matches) => matches(host, port));
  };
}

type Rule = (host: string, port: string) => boolean;

function readEntry(entry: string): Rule {
  if (entry === '*') return () => true;
  // More than one colon and no brackets: an address of IPv6, which has no port.
  const [, named = entry, wantedPort] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
  const matches = hostRule(withoutBrackets(named));
  return (host, port) => (wantedPort === undefined || wantedPort === port) && matches(host);
}

function hostRule(name: string): (host: string) => boolean {
  const [address = '', bits] = name.split('/');
  if (isIP(address) > 0) return addressRule(address, bits);
  const domain = name.replace(/^\*?\.?/, '').replace(/\.$/, '');
  return (host) => host === domain || host.endsWith(`.${domain}`);
}

function addressRule(address: string, bits: string | undefined): (host: string) => boolean {
  const list = new BlockList();
  const most = isIP(address) === 6 ? 128 : 32;
  const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : undefined;
  if (prefix === undefined || prefix > most) return () => false;
  list.addSubnet(address, prefix, familyOf(address));
  return (host) => isIP(host) > 0 && list.check(host, familyOf(host));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

function withoutBrackets(host: string): string {
  return host.replaceAll(/^\[|\]$/g, '');
}
