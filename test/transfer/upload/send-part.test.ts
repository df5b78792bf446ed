import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createPartSender } from '../../../src/transfer/upload/send-part.js';
import { sharedBuffer } from '../../../src/transfer/threads/worker-thread.js';
import { failure, live, quickPolicies, setUpTransfers } from '../../helpers/transfer-setup.js';

const sender = async (path: string, bytes: Uint8Array = sharedBuffer(3)) => {
  const setup = setUpTransfers();
  const store = await setup.store();
  const filed = { ...store, partTarget: () => Promise.resolve({ kind: 'file' as const, path, position: 0 }) };
  const upload = await store.createUpload('dir/model.bin', { size: 3, partSize: 3 });
  const parts = createPartSender(filed, upload, { ...quickPolicies.put, stallMs: 1000 });
  const error = await failure(parts.send({ partNumber: 1, position: 0, size: 3 }, bytes, live()));
  await parts.close();
  await setup.end();
  return { error, root: store.root };
};

// The device of Linux that has no room for a single byte.
test.runIf(existsSync('/dev/full'))(
  'a disk that is full ends the part for good, and the message says where',
  async () => {
    const { error, root } = await sender('/dev/full');
    expect(error).toMatchObject({ code: 'DiskFull' });
    expect(String(error)).toContain(`dir/model.bin in ${root}`);
  }
);

test('an upload whose file is gone is told as such', async () => {
  expect((await sender('/absent/data')).error).toMatchObject({ code: 'UploadNotFound' });
});

test('what kept the bytes from the thread that writes is told', async () => {
  const { error } = await sender('/dev/null', Buffer.alloc(3));
  expect(String(error)).toContain('could not be written (Internal: Bytes for another thread are not in shared memory)');
});
