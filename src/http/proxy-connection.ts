import { request as requestPlain, type ClientRequest } from 'node:http';
import { request as requestSecure } from 'node:https';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import type { Proxy } from './proxies.js';
import { proxyIsDown, proxySaidNo } from './proxy-error.js';

/** A proxy may wait for a host that is slow to answer. */
const patienceMs = 30_000;
const lookMs = 100;

/** Connects to a proxy that is to read the requests itself; given up when the request that it is for ends. */
export function reachProxy(proxy: Proxy, request?: ClientRequest): Promise<Socket> {
  const { host, port } = proxy;
  return new Promise((resolve, reject) => {
    const secure = proxy.protocol === 'https:';
    const socket = secure
      ? connectSecure({ host, port, ...nameOf(proxy), ALPNProtocols: ['http/1.1'] })
      : connectPlain({ host, port });
    const fail = (code: string): void => {
      socket.destroy();
      reject(proxyIsDown(proxy, code));
    };
    const onError = (error: NodeJS.ErrnoException): void => {
      fail(codeOf(error));
    };
    const giveUp = (): void => {
      fail('ETIMEDOUT');
    };
    socket.setTimeout(patienceMs).once('timeout', giveUp).once('error', onError);
    const stopWatching = watchEnd(request, giveUp);
    socket.once('close', stopWatching);
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      stopWatching();
      socket.setTimeout(0).off('timeout', giveUp).off('error', onError);
      resolve(socket);
    });
  });
}

/**
 * Has a proxy connect to a host and port; the bytes go through as they are from then on. Given up when the request that it is
 * for ends.
 */
export function openTunnel(proxy: Proxy, target: string, request?: ClientRequest): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const connect = (proxy.protocol === 'https:' ? requestSecure : requestPlain)({
      method: 'CONNECT',
      host: proxy.host,
      port: proxy.port,
      path: target,
      headers: { Host: target, ...proxy.headers },
      // The name in the certificate is the proxy's, and the Host header the target's.
      ...nameOf(proxy),
      agent: false,
      timeout: patienceMs,
    });
    const giveUp = (): void => {
      connect.destroy();
      reject(proxyIsDown(proxy, 'ETIMEDOUT'));
    };
    const stopWatching = watchEnd(request, giveUp);
    connect.on('close', stopWatching).on('connect', ({ statusCode = 0 }, socket: Socket, first) => {
      stopWatching();
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        reject(proxySaidNo(proxy, statusCode, target));
        return;
      }
      if (first.length > 0) socket.unshift(first);
      resolve(socket.setTimeout(0));
    });
    connect.on('timeout', giveUp);
    connect.on('error', (error: NodeJS.ErrnoException) => {
      reject(proxyIsDown(proxy, codeOf(error)));
    });
    connect.end();
  });
}

/** Node tells nobody that a request was given up that has no connection yet. */
function watchEnd(request: ClientRequest | undefined, onEnd: () => void): () => void {
  const watch = setInterval(() => {
    if (request?.destroyed === true) onEnd();
  }, lookMs);
  return () => {
    clearInterval(watch);
  };
}

function nameOf({ host }: Proxy): { readonly servername: string } {
  return { servername: isIP(host) > 0 ? '' : host };
}

function codeOf(error: NodeJS.ErrnoException): string {
  return error.code ?? 'no code';
}
