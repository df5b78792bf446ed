import * as http from 'node:http';
import * as https from 'node:https';
import type { Duplex } from 'node:stream';
import { hostAndPort, proxyFor } from './proxies.js';
import { openTunnel, reachProxy } from './proxy-connection.js';

declare module 'node:http' {
  interface Agent {
    /** Known to Node's documentation, and not to its types. */
    createConnection(options: http.RequestOptions, callback?: OnConnection): Duplex | null | undefined;
    /** Where a request gets its agent: the last moment to say what is sent. */
    addRequest(request: http.ClientRequest, options: http.RequestOptions): void;
  }
}

/** The request that a connection is made for: without it nobody waits for the proxy. */
interface ForRequest extends https.RequestOptions {
  readonly request?: http.ClientRequest;
}

type OnConnection = (error: Error | null, connection?: Duplex) => void;

/** Agents that take the proxy that the environment names for a host, or none. */
export interface Agents {
  readonly plain: http.Agent;
  readonly secure: https.Agent;
}

/** Makes a pair of agents with pools of their own. */
export function createAgents(settings: https.AgentOptions): Agents {
  return { plain: new PlainAgent(settings), secure: new SecureAgent(settings) };
}

/** A proxy is told the whole URL, and reads the answer itself. */
class PlainAgent extends http.Agent {
  override addRequest(request: http.ClientRequest, options: http.RequestOptions): void {
    const url = urlOf('http:', options);
    const proxy = proxyFor(url);
    if (proxy !== undefined) {
      // What is signed goes out as it is written: a URL object would write some of it anew.
      request.path = url.origin + request.path;
      for (const [name, value] of Object.entries(proxy.headers)) request.setHeader(name, value);
    }
    const forRequest: ForRequest = { ...options, request };
    super.addRequest(request, forRequest);
  }

  override createConnection(options: ForRequest, callback: OnConnection): Duplex | null | undefined {
    const proxy = proxyFor(urlOf('http:', options));
    if (proxy === undefined) return super.createConnection(options, callback);
    reachProxy(proxy, options.request).then((connection) => {
      callback(null, connection);
    }, callback);
    return undefined;
  }
}

/** A proxy gives a tunnel, in which TLS is spoken with the host itself. */
class SecureAgent extends https.Agent {
  override addRequest(request: http.ClientRequest, options: https.RequestOptions): void {
    const forRequest: ForRequest = { ...options, request };
    super.addRequest(request, forRequest);
  }

  override createConnection(options: ForRequest, callback: OnConnection): Duplex | null | undefined {
    const url = urlOf('https:', options);
    const proxy = proxyFor(url);
    if (proxy === undefined) return super.createConnection(options, callback);
    const host = hostAndPort(options.host ?? '', options.port ?? 443);
    openTunnel(proxy, host, options.request).then((socket) => {
      const overTunnel = { ...options, socket };
      callback(null, super.createConnection(overTunnel) ?? socket);
    }, callback);
    return undefined;
  }
}

function urlOf(protocol: string, { host, port }: http.RequestOptions): URL {
  return new URL(`${protocol}//${hostAndPort(host ?? '', port ?? (protocol === 'https:' ? 443 : 80))}`);
}
