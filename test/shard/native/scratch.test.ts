import { expect, test } from 'vitest';
import { createScratch } from '../../../src/shard/native/scratch.js';
import { live } from '../../helpers/transfer-setup.js';

test('no more buffers than there may be are lent at once, and they are used again', async () => {
  const scratch = createScratch(2, 64);
  const seen = new Set<ArrayBufferLike>();
  let lent = 0;
  let most = 0;
  const use = () =>
    scratch.use(live(), async (bytes) => {
      most = Math.max(most, ++lent);
      seen.add(bytes.buffer);
      expect([bytes.length, bytes.byteOffset]).toEqual([64, 0]);
      await new Promise(setImmediate);
      lent--;
    });
  await Promise.all(Array.from({ length: 9 }, use));
  expect([most, seen.size]).toEqual([2, 2]);
});

test('a buffer comes back from work that fails', async () => {
  const scratch = createScratch(1, 64);
  await expect(scratch.use(live(), () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  await scratch.use(live(), () => Promise.resolve());
});

test('who waits for a buffer can give up', async () => {
  const scratch = createScratch(1, 64);
  const abort = new AbortController();
  let end: () => void = () => undefined;
  const holding = scratch.use(live(), () => new Promise<void>((resolve) => (end = resolve)));
  const waiting = scratch.use({ signal: abort.signal }, () => Promise.resolve());
  abort.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  end();
  await holding;
});
