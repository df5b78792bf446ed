import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request as startRequest } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A server with TLS whose certificate nobody trusts but those who know its authority. */
export interface TlsProxy {
  readonly endpoint: string;
  /** File with the certificate of the authority. */
  readonly caFile: string;
  stop(): Promise<void>;
}

/** Ends TLS in front of a plain server on loopback; `names` are what its certificate is for. */
export async function startTlsProxy(target: string, names = 'IP:127.0.0.1,DNS:localhost'): Promise<TlsProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'prefetch-tls-'));
  await makeCertificates(folder, names);
  const [key, cert] = await Promise.all(['server.key', 'server.crt'].map((name) => readFile(join(folder, name))));
  const server = createServer({ key, cert }, (incoming, outgoing) => {
    const { method = 'GET', url = '/', headers } = incoming;
    const upstream = startRequest(target + url, { method, headers, agent: false });
    upstream.on('error', () => incoming.socket.destroy());
    upstream.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // a TCP server's address is never a string
  return {
    endpoint: `https://127.0.0.1:${String(port)}`,
    caFile: join(folder, 'ca.crt'),
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function makeCertificates(folder: string, names: string): Promise<void> {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  const key = (name: string) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', name];
  const subject = (name: string) => ['-subj', `/CN=${name}`];
  await openssl('req', '-x509', ...key('ca.key'), ...subject('authority of a test'), '-days', '2', '-out', 'ca.crt');
  await openssl('req', ...key('server.key'), ...subject('a store'), '-out', 'server.csr');
  await writeFile(join(folder, 'names'), `subjectAltName=${names}`);
  const signedBy = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names', '-days', '2'];
  await openssl('x509', '-req', '-in', 'server.csr', ...signedBy, '-out', 'server.crt');
}
