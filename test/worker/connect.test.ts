import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectToTemporal } from '../../src/worker/connect.js';
import { startSilentServer } from '../helpers/local-server.js';
import { useTemporalServer } from '../helpers/temporal.js';

const server = useTemporalServer();
const before = process.env['TEMPORAL_ADDRESS'];

beforeEach(() => {
  process.env['TEMPORAL_NAMESPACE'] = 'default';
});

afterEach(() => {
  if (before === undefined) delete process.env['TEMPORAL_ADDRESS'];
  else process.env['TEMPORAL_ADDRESS'] = before;
});

test('connects to the server of the environment', async () => {
  process.env['TEMPORAL_ADDRESS'] = server().address;
  const { connection, namespace, client } = await connectToTemporal();
  expect(namespace).toBe('default');
  expect((await client.workflow.count()).count).toBe(0);
  await connection.close();
});

test('says where nobody answers', async () => {
  process.env['TEMPORAL_ADDRESS'] = '127.0.0.1:9';
  await expect(connectToTemporal()).rejects.toThrow(/^ServerUnavailable: .*127\.0\.0\.1:9: the connection is refused/);
});

test('gives up on a server that takes the connection and says nothing', async () => {
  const silent = await startSilentServer();
  process.env['TEMPORAL_ADDRESS'] = silent.address;
  await expect(connectToTemporal()).rejects.toThrow(new RegExp(`^ServerUnavailable: .*${silent.address} `));
  await silent.close();
});
