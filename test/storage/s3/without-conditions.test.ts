import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../../src/storage/index.js';
import { startS3FaultProxy, type S3FaultProxy } from '../../helpers/s3-fault-proxy.js';
import { describeWithS3, startVersitygw, type S3Server } from '../../helpers/s3-servers.js';

describeWithS3('a store that knows no conditional writes', () => {
  let server: S3Server;
  let proxies: S3FaultProxy[];

  beforeAll(async () => {
    server = await startVersitygw();
    proxies = [await startS3FaultProxy(server), await startS3FaultProxy(server)];
  });

  afterAll(async () => {
    for (const proxy of proxies) await proxy.stop();
    await server.stop();
  });

  test('is found out by trying, and every other answer of it stays as it is', async () => {
    proxies[1]?.dropConditions(true);
    const found = await Promise.all(
      proxies.map(async ({ options }) => {
        const store = await openStore(`s3://${server.bucket}/root/`, { s3: options });
        try {
          return await store.capabilities();
        } finally {
          await store.close();
        }
      })
    );
    expect(found[0]?.conditionalComplete).toBe(true);
    expect(found[1]).toEqual({ ...found[0], conditionalComplete: false, putIfAbsent: false });
  });
});
