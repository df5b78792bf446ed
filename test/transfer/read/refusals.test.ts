import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { isPrefetchError } from '../../../src/core/errors.js';
import { MiB } from '../../../src/core/units.js';
import { openStore, type ObjectStore } from '../../../src/storage/index.js';
import { openObject } from '../../../src/transfer/read/object-source.js';
import { hashObject } from '../../../src/transfer/read/verify-object.js';
import { startS3FaultProxy, type S3FaultProxy, type SeenRequest } from '../../helpers/s3-fault-proxy.js';
import { describeWithS3, startVersitygw, type S3Server } from '../../helpers/s3-servers.js';
import { sha256Of } from '../../helpers/test-source.js';
import { tmpFolder } from '../../helpers/tmp.js';
import { bytesOf, failure, live, quickPolicies, setUpTransfers } from '../../helpers/transfer-setup.js';

const setup = setUpTransfers();
const policy = { ...quickPolicies.get, stallMs: 10_000 };
const size = 11 * MiB;
const always = Number.POSITIVE_INFINITY;

describeWithS3('a store that refuses', () => {
  let server: S3Server;
  let proxy: S3FaultProxy;
  let store: ObjectStore;
  let profileFile: string;
  let root: string;
  let open: () => Promise<ObjectStore>;

  beforeAll(async () => {
    server = await startVersitygw();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    proxy = await startS3FaultProxy(server);
    profileFile = join(await tmpFolder(), 'credentials');
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', profileFile);
    await giveOut(server.accessKey);
    const { endpoint } = proxy;
    const s3 = { endpoint, region: 'us-east-1', profile: 'rotating', stallMs: 5000, forcePathStyle: true };
    root = `s3://${server.bucket}/${randomUUID()}`;
    open = () => openStore(root, { s3 });
    store = await open();
    await store.capabilities();
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await store.close();
    await proxy.stop();
    await setup.end();
  });

  /** Writes credentials into the profile, as something that rotates them does. */
  async function giveOut(accessKey: string): Promise<void> {
    const keys = [`aws_access_key_id=${accessKey}`, `aws_secret_access_key=${server.secretKey}`];
    await writeFile(profileFile, ['[rotating]', ...keys, ''].join('\n'));
  }

  /** A store whose credentials have ended; the profile has new ones. */
  async function openWithEnded(): Promise<ObjectStore> {
    await giveOut('ended');
    const opened = await open();
    // Signing reads them; nothing is sent.
    await opened.readTarget('object');
    await giveOut(server.accessKey);
    return opened;
  }

  const isRead = ({ method, path }: SeenRequest) => method === 'GET' && path.endsWith('/object');
  const isPart = ({ method, query }: SeenRequest) => method === 'PUT' && query.has('partNumber');
  const isEnded = ({ accessKey }: SeenRequest) => accessKey === 'ended';

  function readBack(bytes: Uint8Array, of = store): Promise<unknown>[] {
    const object = { key: 'object', size: bytes.length };
    const range = { start: 0, end: bytes.length };
    const into = new Uint8Array(bytes.length);
    const reader = openObject(of, object, policy);
    return [
      hashObject(of, { ...object, algorithm: 'sha256' }, live()),
      reader.read(range, into, { ...live(), onBytes: () => undefined }).then(() => sha256Of(into).hex),
    ];
  }

  test.each([
    ['ObjectArchived', 'InvalidObjectState', /is archived: restore it/],
    [
      'StoreAccessDenied',
      'AccessDenied',
      /may get, put, list and delete .*; a policy, .* Fresh signatures were refused/,
    ],
  ])('%s for one object is no matter of waiting', async (expected, code, advice) => {
    const bytes = bytesOf(1000);
    await store.put('object', bytes);
    await store.put('other', bytes);
    proxy.inject({ match: isRead, fault: { kind: 'answer', status: 403, code }, times: always });
    for (const error of await Promise.all(readBack(bytes).map(failure))) {
      expect(error).toMatchObject({ code: expected, permanent: true });
      const { bucket } = server;
      const key = `${root.slice(`s3://${bucket}/`.length)}/object`;
      expect(error).toMatchObject({
        details: { status: 403, reason: code, bucket, key, endpoint: proxy.endpoint },
      });
      expect(String(error)).toContain(
        `Could not read "${key}" in bucket ${bucket} at ${proxy.endpoint} (${code}, HTTP 403)`
      );
      expect(String(error)).toMatch(advice);
    }
    await expect(store.get('object')).rejects.toMatchObject({ code: expected });
    expect(await hashObject(store, { key: 'other', size: 1000, algorithm: 'sha256' }, live())).toBe(
      sha256Of(bytes).hex
    );
  });

  test('a part with AccessDenied, fresh signatures and all, is no matter of waiting', async () => {
    proxy.inject({ match: isPart, fault: { kind: 'answer', status: 403, code: 'AccessDenied' }, times: always });
    const source = await setup.source(bytesOf(size));
    const engine = setup.engine({ partSizeBytes: 5 * MiB, memoryBytes: 40 * MiB });
    const error = await failure(engine.transferFile({ source, store, key: 'object', trust: 'replace' }, live()));
    const { bucket } = server;
    expect(error).toMatchObject({ code: 'StoreAccessDenied', permanent: true });
    expect(error).toMatchObject({ details: { status: 403, reason: 'AccessDenied', bucket, endpoint: proxy.endpoint } });
    expect(String(error)).toMatch(
      /Could not write part \d of ".*object" in bucket .* \(AccessDenied, HTTP 403\): check AWS/
    );
    expect(proxy.seen.filter(isPart).length).toBeGreaterThanOrEqual(quickPolicies.put.tries);
  });

  test('a read that is refused once is read with a fresh signature', async () => {
    const bytes = bytesOf(1000);
    await store.put('object', bytes);
    proxy.inject({ match: isRead, fault: { kind: 'answer', status: 403, code: 'AccessDenied' }, times: 2 });
    expect(await Promise.all(readBack(bytes))).toEqual([sha256Of(bytes).hex, sha256Of(bytes).hex]);
  });

  test('credentials that end are asked for anew, for control requests, parts, objects and reads', async () => {
    proxy.inject({ match: isEnded, fault: { kind: 'answer', status: 400, code: 'ExpiredToken' }, times: always });
    const bytes = bytesOf(size);
    const source = await setup.source(bytes);
    const endsMidway: ObjectStore = {
      ...store,
      createUpload: async (...upload) => {
        const created = await store.createUpload(...upload);
        Object.assign(endsMidway, await openWithEnded());
        return created;
      },
    };
    const engine = setup.engine({ partSizeBytes: 5 * MiB, memoryBytes: 40 * MiB });
    await engine.transferFile({ source, store: endsMidway, key: 'object', trust: 'verify-existing' }, live());
    expect(proxy.seen.some((request) => isPart(request) && isEnded(request))).toBe(true);
    for (const ask of [
      (ended: ObjectStore) => ended.head('object'),
      (ended: ObjectStore) => ended.get('small'),
      (ended: ObjectStore) => ended.put('small', bytesOf(10)),
      (ended: ObjectStore) => ended.findUploads('object'),
      (ended: ObjectStore) => Promise.all(readBack(bytes, ended)),
    ]) {
      const before = proxy.seen.length;
      const ended = await openWithEnded();
      await ask(ended);
      await ended.close();
      const seen = proxy.seen.slice(before);
      expect([seen.at(0)?.accessKey, seen.at(-1)?.accessKey]).toEqual(['ended', server.accessKey]);
    }
  });

  test.each(['ExpiredToken', 'TokenRefreshRequired'])(
    'credentials that end with %s and are not renewed fail for now, with the advice to renew them',
    async (code) => {
      const bytes = bytesOf(1000);
      await store.put('object', bytes);
      const upload = await store.createUpload('other', { size, partSize: 5 * MiB });
      const request = { store, key: 'large', source: await setup.source(bytesOf(size)), trust: 'replace' } as const;
      proxy.inject({
        match: ({ method, query }) => method !== 'HEAD' && !query.has('uploads'),
        fault: { kind: 'answer', status: 403, code },
        times: always,
      });
      const failures = await Promise.all(
        [
          ...readBack(bytes),
          store.get('object'),
          store.put('object', bytes),
          store.listParts(upload),
          setup.engine({ partSizeBytes: 5 * MiB, memoryBytes: 40 * MiB }).transferFile(request, live()),
        ].map(failure)
      );
      for (const error of failures) {
        expect(isPrefetchError(error, 'StoreUnavailable') && !error.permanent, String(error)).toBe(true);
        expect(String(error)).toContain(code);
        expect(String(error)).toContain('renew them');
      }
    },
    20_000
  );
});
