import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, test } from 'vitest';

import { describeObjectStore } from '../../../src/storage/conformance.js';
import { openStore, type ObjectStore } from '../../../src/storage/index.js';
import { describeWithS3, externalS3, startMinio, startVersitygw, type S3Server } from '../../helpers/s3-servers.js';

const servers = [
  ['versitygw', () => startVersitygw()],
  ['versitygw with etags that are no MD5', () => startVersitygw({ dataIntegrityEtag: true })],
  ['minio', startMinio],
] as const;

for (const [name, start] of servers) {
  describeWithS3(`S3 by ${name}`, () => {
    let server: S3Server;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(async () => {
      await server.stop();
    });
    describeObjectStore(name, () => openFresh(server), { describe, test });
  });
}

type Cleanup = (open: () => Promise<ObjectStore>) => Promise<void>;

const external = externalS3();
describe.skipIf(external === undefined)('S3 at S3_TEST_ENDPOINT', () => {
  if (external !== undefined)
    describeObjectStore('the external store', () => openFresh(external, empty), { describe, test });
});

/** A server of our own takes its objects with it. */
const nothing = () => Promise.resolve();

async function openFresh({ bucket, options }: Pick<S3Server, 'bucket' | 'options'>, cleanup: Cleanup = nothing) {
  const root = `s3://${bucket}/conformance%20é/${randomUUID()}`;
  const reopen = () => openStore(root, { s3: options });
  return { store: await reopen(), reopen, cleanup: () => cleanup(reopen) };
}

async function empty(open: () => Promise<ObjectStore>): Promise<void> {
  const store = await open();
  for await (const { key } of store.list('')) await store.delete(key);
  await store.close();
}
