import { RequestError, Server, type PrepareRequestFunction } from 'proxy-chain';
import type { Certificate } from './certificates.js';

/** A real proxy on loopback. */
export interface ProxyServer {
  /** With user and password, where it asks for them. */
  readonly url: string;
  /** Host and port alone. */
  readonly address: string;
  /** What it was asked to reach, in order: `CONNECT host:port`, or `GET host:port` for a whole URL. */
  readonly asked: readonly string[];
  /** Connections that were made to it so far. */
  readonly connections: () => number;
  close(): Promise<void>;
}

export interface ProxyOptions {
  readonly user?: string;
  readonly password?: string;
  /** Spoken to by TLS. */
  readonly certificate?: Certificate;
  /** It answers this status and connects nobody. */
  readonly refuseWith?: number;
}

/** Starts a proxy. It finds every name under `.test` on this machine; nothing else does. */
export async function startProxy(options: ProxyOptions = {}): Promise<ProxyServer> {
  const { user = '', password = '', certificate, refuseWith } = options;
  const asked: string[] = [];
  let connections = 0;
  const prepareRequestFunction: PrepareRequestFunction = ({ request, hostname, port, isHttp, ...given }) => {
    const known = given.username === user && given.password === password;
    asked.push(`${isHttp ? (request.method ?? '') : 'CONNECT'} ${hostname}:${String(port)}`);
    if (refuseWith !== undefined) throw new RequestError('no', refuseWith);
    return { requestAuthentication: !known, dnsLookup: onThisMachine };
  };
  const shared = { host: '127.0.0.1', port: 0, prepareRequestFunction };
  const server =
    certificate === undefined
      ? new Server(shared)
      : new Server({ ...shared, serverType: 'https', httpsOptions: certificate });
  server.server.on(certificate === undefined ? 'connection' : 'secureConnection', () => connections++);
  await server.listen();
  const scheme = certificate === undefined ? 'http' : 'https';
  const address = `127.0.0.1:${String(server.port)}`;
  const credentials = user === '' ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
  return {
    url: `${scheme}://${credentials}${address}`,
    address,
    asked,
    connections: () => connections,
    close: () => server.close(true),
  };
}

type Lookup = NonNullable<NonNullable<Awaited<ReturnType<PrepareRequestFunction>>>['dnsLookup']>;

const onThisMachine = ((_name: string, options: { readonly all?: boolean }, done: (...found: unknown[]) => void) => {
  if (options.all === true) done(null, [{ address: '127.0.0.1', family: 4 }]);
  else done(null, '127.0.0.1', 4);
}) as unknown as Lookup;
