import { expect, test } from 'vitest';
import { createThreadHash } from '../../../src/transfer/threads/hash-thread.js';
import { createOrderedHash } from '../../../src/transfer/digest/ordered-hash.js';
import { sharedBuffer } from '../../../src/transfer/threads/worker-thread.js';
import { sha256Of } from '../../helpers/test-source.js';
import { bytesOf, live } from '../../helpers/transfer-setup.js';

test('parts are hashed in file order, whatever order they come in', async () => {
  const bytes = sharedBuffer(6_000_000);
  bytes.set(bytesOf(bytes.length));
  const { signal } = live();
  const hash = createOrderedHash(createThreadHash('sha256', bytes.length), { signal });
  const part = (number: number) => hash.add(number, bytes.subarray((number - 1) * 1_500_000, number * 1_500_000));
  await Promise.all([part(3), part(1), part(4), part(2)]);
  expect(await hash.hex()).toBe(sha256Of(bytes).hex);
});

test('a part that waits for one before it gives up on abort', async () => {
  const abort = new AbortController();
  const hash = createOrderedHash(createThreadHash('sha256', 10), abort);
  const waiting = hash.add(2, bytesOf(5));
  abort.abort(new Error('no'));
  await expect(waiting).rejects.toThrow('no');
});
