import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Certificate } from './certificates.js';

/** Speaks TLS for a plain server on this machine. */
export interface TlsFront {
  readonly port: number;
  close(): Promise<void>;
}

/** Starts one. `rewrite` changes the headers of answers that name plain addresses. */
export async function startTlsFront(
  origin: string,
  { certificate, rewrite = (value) => value }: { certificate: Certificate; rewrite?: (value: string) => string }
): Promise<TlsFront> {
  const { hostname, port } = new URL(origin);
  const server = createServer(certificate, (incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const onwards = request({ hostname, port, method, path: url, headers }, (answer) => {
      const { location, link } = answer.headers;
      const named = { ...(location && { location: rewrite(location) }), ...(link && { link: rewrite(String(link)) }) };
      outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...named });
      answer.pipe(outgoing);
    });
    onwards.on('error', () => outgoing.destroy());
    incoming.pipe(onwards);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
