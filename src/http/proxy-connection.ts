import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import type { Proxy } from './proxies.js';
import { proxyIsDown, proxySaidNo } from './proxy-error.js';

/** A proxy may wait for a host that is slow to answer. */
const patienceMs = 30_000;

/** Connects to a proxy that is to read the requests itself. */
export function reachProxy(proxy: Proxy): Promise<Socket> {
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
    const onTimeout = (): void => {
      fail('ETIMEDOUT');
    };
    socket.setTimeout(patienceMs).once('timeout', onTimeout).once('error', onError);
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      socket.setTimeout(0).off('timeout', onTimeout).off('error', onError);
      resolve(socket);
    });
  });
}

/** Has a proxy connect to a host and port; the bytes go through as they are from then on. */
export function openTunnel(proxy: Proxy, target: string): Promise<Socket> {
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
    connect.on('connect', ({ statusCode = 0 }, socket: Socket, first) => {
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        reject(proxySaidNo(proxy, statusCode, target));
        return;
      }
      if (first.length > 0) socket.unshift(first);
      resolve(socket.setTimeout(0));
    });
    connect.on('timeout', () => {
      connect.destroy();
      reject(proxyIsDown(proxy, 'ETIMEDOUT'));
    });
    connect.on('error', (error: NodeJS.ErrnoException) => {
      reject(proxyIsDown(proxy, codeOf(error)));
    });
    connect.end();
  });
}

function nameOf({ host }: Proxy): { readonly servername: string } {
  return { servername: isIP(host) > 0 ? '' : host };
}

function codeOf(error: NodeJS.ErrnoException): string {
  return error.code ?? 'no code';
}
