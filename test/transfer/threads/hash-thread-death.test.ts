import type { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { createThreadHash } from '../../../src/transfer/threads/hash-thread.js';
import { sharedBuffer } from '../../../src/transfer/threads/worker-thread.js';
import { failure } from '../../helpers/transfer-setup.js';

const started: Worker[] = [];
process.on('worker', (thread) => {
  started.push(thread);
});

/** Digests on every thread that there may be. */
async function openHashes() {
  const hashes = Array.from({ length: 4 }, () => createThreadHash('sha256', 5));
  await Promise.all(hashes.map((hash) => hash.update(sharedBuffer(5))));
  return {
    hashes,
    close: () => {
      for (const hash of hashes) hash.drop();
    },
  };
}

/** Has one thread fail, for nothing may follow the end of a digest, and waits until it is gone. */
async function killThread(): Promise<void> {
  const gone = Promise.race(started.map((thread) => new Promise((resolve) => thread.once('exit', resolve))));
  const hash = createThreadHash('sha256', 5);
  await hash.hex();
  expect(await failure(hash.update(sharedBuffer(5)))).toMatchObject({ code: 'Internal' });
  await gone;
  hash.drop();
}

test('a digest whose thread died while it had nothing to do fails at its next call', async () => {
  const { hashes, close } = await openHashes();
  await killThread();
  const ends = await Promise.allSettled(hashes.map((hash) => hash.hex()));
  const failed = ends.filter(({ status }) => status === 'rejected');
  expect(failed.length).toBeGreaterThan(0);
  for (const end of failed) expect(end).toMatchObject({ reason: { code: 'Internal' } });
  close();
});

test('a thread that dies is replaced, and no other one with it', async () => {
  const before = await openHashes();
  await killThread();
  const count = started.length;
  const after = await openHashes();
  expect(started.length - count).toBe(1);
  before.close();
  after.close();
});
