import { once } from 'node:events';
import type { AgentOptions, ClientRequest } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { HttpProxyAgent } from 'http-proxy-agent';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { hostAndPort, type Proxy } from './proxies.js';
import { ProxyError, proxyIsDown, proxySaidNo } from './proxy-error.js';

/** A proxy may wait for a host that is slow to answer. */
const patienceMs = 30_000;
const lookMs = 100;

/** To the types of the libraries: options of both kinds of proxies. */
type Either = 'https:';
type Asking = Parameters<HttpProxyAgent<Either>['connect']>[0];
type Target = Parameters<HttpsProxyAgent<Either>['connect']>[1];

/** Asks one proxy for http: it is told the whole URL, and reads the answer itself. */
export class ForwardingAgent extends HttpProxyAgent<Either> {
  constructor(
    private readonly chosen: Proxy,
    settings: AgentOptions
  ) {
    super(urlOf(chosen), { ...settings, ...optionsFor(chosen) });
  }

  /** What is signed goes out as it is written: the library would write some of it anew. */
  override setRequestProps(request: Asking, target: Target): void {
    const written = request.path;
    request.path = '/';
    super.setRequestProps(request, target);
    request.path = new URL(request.path).origin + written;
  }

  override connect(request: Asking, target: Target): Promise<Socket> {
    return bounded(this.chosen, request, async (signal) => {
      this.connectOpts = { ...this.connectOpts, signal };
      const socket = await super.connect(request, target);
      // The library does not wait for TLS: its failure would be the host's.
      if (this.chosen.protocol === 'https:') await once(socket, 'secureConnect');
      return socket;
    });
  }
}

/** Asks one proxy for tunnels, in which TLS is spoken with the host itself. */
export class TunnelAgent extends HttpsProxyAgent<Either> {
  constructor(
    private readonly chosen: Proxy,
    settings: AgentOptions
  ) {
    super(urlOf(chosen), { ...settings, ...optionsFor(chosen) });
  }

  override connect(request: ClientRequest, target: Target): Promise<Socket> {
    const { host = '', port } = target;
    const checked = {
      ...target,
      // The library would hold the certificate of an address against the name of the proxy.
      checkServerIdentity: (name: string, certificate: PeerCertificate) =>
        checkServerIdentity(isIP(host) > 0 ? host : name, certificate),
    };
    return bounded(this.chosen, request, async (signal) => {
      this.connectOpts = { ...this.connectOpts, signal };
      let status = Number.NaN;
      request.once('proxyConnect', (answer: { readonly statusCode: number }) => {
        status = answer.statusCode;
      });
      const socket = await super.connect(request, checked);
      // The library gives out what a proxy refuses as an answer of the host.
      if (Number.isNaN(status)) throw proxyIsDown(this.chosen, 'no HTTP');
      if (status !== 200) throw proxySaidNo(this.chosen, status, hostAndPort(host, port));
      return socket;
    });
  }
}

/** Gives up after a while, or when the request ends: the libraries wait without end. */
async function bounded(
  proxy: Proxy,
  request: ClientRequest,
  connect: (signal: AbortSignal) => Promise<Socket>
): Promise<Socket> {
  const given = new AbortController();
  const end = performance.now() + patienceMs;
  // Node tells nobody that a request was given up that has no connection yet.
  const watch = setInterval(() => {
    if (request.destroyed || performance.now() > end) given.abort();
  }, lookMs);
  try {
    return await connect(given.signal);
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'closed';
    throw proxyIsDown(proxy, given.signal.aborted ? 'ETIMEDOUT' : code);
  } finally {
    clearInterval(watch);
  }
}

/** Without user and password, which go into a header: the libraries print this URL where DEBUG is set. */
function urlOf({ protocol, address }: Proxy): URL {
  return new URL(`${protocol}//${address}`);
}

function optionsFor({ host, headers }: Proxy) {
  const servername = isIP(host) > 0 ? '' : host;
  return { headers: { ...headers }, servername, ALPNProtocols: ['http/1.1'], noDelay: true };
}
