import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createThreadHash } from '../../../src/transfer/threads/hash-thread.js';
import { sharedBuffer } from '../../../src/transfer/threads/worker-thread.js';
import { bytesOf, failure } from '../../helpers/transfer-setup.js';

test('another thread comes to the digests of this one, several at once', async () => {
  const contents = [1, 2, 3, 4, 5].map((count) => bytesOf(count * 100_000));
  const digests = contents.map(async (content) => {
    const hash = createThreadHash('sha256', content.length);
    for (let start = 0; start < content.length; start += 30_000) {
      const piece = content.subarray(start, start + 30_000);
      const memory = sharedBuffer(piece.length);
      memory.set(piece);
      await hash.update(memory);
    }
    return hash.hex();
  });
  const expected = contents.map((content) => createHash('sha256').update(content).digest('hex'));
  expect(await Promise.all(digests)).toEqual(expected);
});

test('a git blob is hashed with its size before it', async () => {
  const memory = sharedBuffer(5);
  memory.set(Buffer.from('hello'));
  const hash = createThreadHash('gitSha1', 5);
  await hash.update(memory);
  expect(await hash.hex()).toBe(createHash('sha1').update('blob 5\0hello').digest('hex'));
});

test('memory that another thread cannot see is refused', async () => {
  const hash = createThreadHash('sha256', 5);
  expect(await failure(hash.update(Buffer.from('hello')))).toMatchObject({ code: 'Internal' });
  hash.drop();
});
