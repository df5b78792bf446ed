import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a store says to everything. */
export interface StoreRefusal {
  readonly status: number;
  readonly code: string;
  readonly message?: string;
  /** In the place of an answer of S3. */
  readonly page?: string;
}

/** A server that refuses every request as S3 does: HEAD gets no body. */
export async function startRefusing({ status, code, message = '', page }: StoreRefusal) {
  const server = createServer((incoming, outgoing) => {
    incoming.resume();
    outgoing.writeHead(status, { 'content-type': 'application/xml' });
    outgoing.end(incoming.method === 'HEAD' ? '' : (page ?? refusalText({ code, message })));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // a TCP server's address is never a string
  return {
    endpoint: `http://127.0.0.1:${String(port)}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The body of such an answer. */
export function refusalText({ code, message = '' }: Omit<StoreRefusal, 'status'>): string {
  return `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
}
