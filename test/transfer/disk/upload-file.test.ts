import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { uploadFile, type FileUpload } from '../../../src/transfer/disk/upload-file.js';
import type { MemoryStore } from '../../helpers/memory-store.js';
import { sha256Of } from '../../helpers/test-source.js';
import { bytesOf, failure, live, partSize, setUpTransfers } from '../../helpers/transfer-setup.js';
import { tmpFolder } from '../../helpers/tmp.js';

const setup = setUpTransfers();
afterEach(() => setup.end());

async function fileOf(bytes: Buffer, store: MemoryStore): Promise<FileUpload> {
  const path = join(await tmpFolder(), 'file');
  await writeFile(path, bytes);
  const digest = sha256Of(bytes);
  return {
    path,
    name: 'weights.bin',
    size: bytes.length,
    digest,
    store,
    key: 'dir/weights.bin',
    engine: setup.engine(),
    trust: 'verify-existing',
  };
}

describe('a file of this machine', () => {
  test.each([
    ['no bytes', 0],
    ['less than a part', partSize - 1],
    ['several parts', 3 * partSize + 7],
  ])('with %s is in the store afterwards, and progress ends there', async (_what, size) => {
    const store = await setup.store();
    const bytes = bytesOf(size);
    const seen: number[] = [0];
    const { etag } = await uploadFile(await fileOf(bytes, store), {
      ...live(),
      onProgress: ({ bytesDone }) => seen.push(bytesDone),
    });
    expect(store.objects.get('dir/weights.bin')?.equals(bytes)).toBe(true);
    expect(etag).toBe((await store.head('dir/weights.bin'))?.etag);
    expect(seen.at(-1)).toBe(size);
  });

  test('that the store has already is read back, not sent again', async () => {
    const store = await setup.store();
    const bytes = bytesOf(3 * partSize);
    await store.put('dir/weights.bin', bytes);
    store.calls.length = 0;
    await uploadFile(await fileOf(bytes, store), live());
    expect(store.calls).toEqual(['GET dir/weights.bin']);
  });

  test('goes on where an earlier process ended', async () => {
    const store = await setup.store();
    const bytes = bytesOf(3 * partSize);
    const upload = await fileOf(bytes, store);
    const abort = new AbortController();
    store.faults.intercept = (_request, response, name) => {
      if (name !== 'PUT part 3') return false;
      response.writeHead(503).end();
      abort.abort(new Error('given up'));
      return true;
    };
    await failure(uploadFile(upload, { signal: abort.signal }));
    delete store.faults.intercept;
    const before = [...store.uploads.values()].flatMap(({ parts }) => [...parts.keys()]);
    store.calls.length = 0;
    await uploadFile({ ...upload, engine: setup.engine() }, live());
    expect(store.objects.get('dir/weights.bin')?.equals(bytes)).toBe(true);
    expect(before.length).toBeGreaterThan(0);
    for (const part of before) expect(store.calls).not.toContain(`PUT part ${part}`);
  });

  test('whose bytes are not those that were hashed does not stay in the store', async () => {
    const store = await setup.store();
    const upload = await fileOf(bytesOf(3 * partSize), store);
    await writeFile(upload.path, bytesOf(3 * partSize));
    expect(await failure(uploadFile(upload, live()))).toMatchObject({ code: 'DigestMismatch' });
    expect(store.objects.size).toBe(0);
  });
});

describe('a store that takes no parts', () => {
  test('gets the file in one request, and is not sent what it has', async () => {
    const store = await setup.store({ multipart: false });
    const bytes = bytesOf(3 * partSize);
    const upload = await fileOf(bytes, store);
    const seen: number[] = [];
    await uploadFile(upload, { ...live(), onProgress: ({ bytesDone }) => seen.push(bytesDone) });
    expect(store.objects.get('dir/weights.bin')?.equals(bytes)).toBe(true);
    expect(seen.at(-1)).toBe(bytes.length);
    store.calls.length = 0;
    await uploadFile(upload, live());
    expect(store.calls).toEqual(['GET dir/weights.bin']);
  });

  test('keeps what it has where the file changes while it is sent', async () => {
    const memory = await setup.store({ multipart: false });
    const upload = await fileOf(bytesOf(30 * partSize), memory);
    const theirs = bytesOf(10);
    memory.objects.set('dir/weights.bin', theirs);
    const objectTarget: typeof memory.objectTarget = async (...asked) => {
      // Another process of this machine wakes up, and has the file open.
      await writeFile(upload.path, bytesOf(30 * partSize));
      return memory.objectTarget(...asked);
    };
    const changing = uploadFile({ ...upload, store: { ...memory, objectTarget } }, live());
    expect(await failure(changing)).toMatchObject({ code: 'ObjectChanged' });
    expect(memory.objects.get('dir/weights.bin')).toBe(theirs);
  });
});
