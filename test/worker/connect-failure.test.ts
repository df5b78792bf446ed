import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { connectToTemporal } from '../../src/worker/connect.js';
import { makeCertificate } from '../helpers/certificates.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { tmpFolder } from '../helpers/tmp.js';

const server = useTemporalServer();

beforeEach(() => {
  vi.stubEnv('TEMPORAL_ADDRESS', server().address);
});

afterEach(() => {
  vi.unstubAllEnvs();
});

test('names a namespace that is not there, and where', async () => {
  vi.stubEnv('TEMPORAL_NAMESPACE', 'nope');
  await expect(connectToTemporal()).rejects.toThrow(
    new RegExp(`^NamespaceNotFound: There is no namespace "nope" at ${server().address}\\. Check TEMPORAL_NAMESPACE`)
  );
});

test('tells TLS that a plain server is asked for, by a variable or by an API key', async () => {
  vi.stubEnv('TEMPORAL_TLS', 'true');
  await expect(connectToTemporal()).rejects.toThrow(/^ServerUnavailable: .*does not speak TLS.*TEMPORAL_TLS=false$/);
  vi.stubEnv('TEMPORAL_TLS', undefined);
  vi.stubEnv('TEMPORAL_API_KEY', 'some-key');
  await expect(connectToTemporal()).rejects.toThrow(/^ServerUnavailable: .*does not speak TLS/);
});

test('tells a server with TLS that is asked without, and a certificate that is not trusted', async () => {
  const { key, cert } = await makeCertificate(await tmpFolder());
  const tls = createTlsServer({ key, cert, ALPNProtocols: ['h2'] }).on('tlsClientError', () => undefined);
  onTestFinished(() => void tls.close());
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('TEMPORAL_ADDRESS', addressOf(tls.address() as AddressInfo));
  await expect(connectToTemporal()).rejects.toThrow(/^ServerUnavailable: .*set TEMPORAL_TLS=true/);
  vi.stubEnv('TEMPORAL_TLS', 'true');
  await expect(connectToTemporal()).rejects.toThrow(
    /^ServerUnavailable: .*not trusted.*TEMPORAL_TLS_SERVER_CA_CERT_PATH/
  );
});

test.each([
  [16, 'Jwt is expired'],
  [7, 'Request unauthorized.'],
])('tells a login that is refused with status %i', async (status, message) => {
  vi.stubEnv('TEMPORAL_ADDRESS', await refusing(status, message));
  await expect(connectToTemporal()).rejects.toThrow(
    new RegExp(`^TemporalAccessDenied: .*\\(${message}\\)\\. Check TEMPORAL_API_KEY`)
  );
});

/** A server that answers every call with a status of gRPC. */
async function refusing(status: number, message: string): Promise<string> {
  const grpc: Http2Server = createServer().on('stream', (stream) => {
    const headers = { 'content-type': 'application/grpc', 'grpc-status': String(status), 'grpc-message': message };
    stream.respond({ ':status': 200, ...headers }, { endStream: true });
  });
  onTestFinished(() => void grpc.close());
  await new Promise<void>((resolve) => grpc.listen(0, '127.0.0.1', resolve));
  return addressOf(grpc.address() as AddressInfo);
}

function addressOf({ port }: AddressInfo): string {
  return `127.0.0.1:${String(port)}`;
}
