import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { isCertificateError } from '../../src/http/certificate-errors.js';
import { closeIdleSockets } from '../../src/http/agents.js';
import { putBytes } from '../../src/http/put-bytes.js';
import { spokenWrongly } from '../../src/http/wrong-protocol.js';
import { openStore } from '../../src/storage/index.js';

let server: Server;
let address: string;
let says: Buffer;

beforeEach(async () => {
  server = createServer((socket) => {
    socket.on('error', () => undefined).once('data', () => socket.end(says));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `127.0.0.1:${String((server.address() as AddressInfo).port)}`; // a TCP server's address is never a string
});
afterEach(async () => {
  closeIdleSockets();
  await new Promise((resolve) => server.close(resolve));
});

const plain = Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
// As OpenSSL and Go say to what is no TLS.
const alert = Buffer.from([0x15, 3, 1, 0, 2, 2, 0x46]);

test.each([
  ['https', 'a store without TLS', plain, /use http:\/\/ in AWS_ENDPOINT_URL/],
  ['http', 'a store with TLS', alert, /use https:\/\/ in AWS_ENDPOINT_URL/],
] as const)('%s:// to %s is refused for good, with the one that is right', async (scheme, _, answer, advice) => {
  says = answer;
  const endpoint = `${scheme}://${address}`;
  const refused = { code: 'StoreRefused', permanent: true, message: expect.stringMatching(advice) as string };
  const body = new Uint8Array(5);
  await expect(putBytes({ target: { url: `${endpoint}/key`, headers: {} }, body })).rejects.toMatchObject(refused);
  const credentials = { accessKeyId: 'key', secretAccessKey: 'secret-of-a-test' };
  const store = await openStore('s3://models/x', { s3: { endpoint, region: 'r', credentials } });
  await expect(store.head('a')).rejects.toMatchObject(refused);
  await expect(store.capabilities()).rejects.toMatchObject(refused);
  await store.close();
});

test.each([
  ['EPROTO', 'TLS'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'TLS'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'TLS'],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'TLS'],
  ['HPE_INVALID_CONSTANT', 'HTTP'],
  ['HPE_INVALID_VERSION', 'HTTP'],
  // A connection that was cut or garbled on the way.
  ['HPE_INVALID_EOF_STATE', undefined],
  ['HPE_CLOSED_CONNECTION', undefined],
  ['ERR_SSL_UNEXPECTED_EOF_WHILE_READING', undefined],
  ['ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC', undefined],
  ['ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', undefined],
  ['ECONNRESET', undefined],
] as const)('%s is for lack of: %s', (code, expected) => {
  expect(spokenWrongly(code)).toBe(expected);
});

test.each([
  'CA_MD_TOO_WEAK',
  'EE_KEY_TOO_SMALL',
  'CRL_HAS_EXPIRED',
  'UNABLE_TO_GET_CRL',
  'ERR_SSL_CA_KEY_TOO_SMALL',
  'ERR_SSL_CERTIFICATE_VERIFY_FAILED',
])('%s is about a certificate', (code) => {
  expect(isCertificateError(code)).toBe(true);
  expect(spokenWrongly(code)).toBeUndefined();
});
