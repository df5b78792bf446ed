import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MiB } from '../../../src/core/units.js';
import { openPartFiles } from '../../../src/transfer/upload/part-files.js';
import { sharedBuffer } from '../../../src/transfer/threads/worker-thread.js';
import { tmpFolder } from '../../helpers/tmp.js';
import { failure } from '../../helpers/transfer-setup.js';

function shared(content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content);
  const memory = sharedBuffer(bytes.length);
  memory.set(bytes);
  return memory;
}

test('parts of any size are written whole, each at its position', async () => {
  const path = join(await tmpFolder(), 'data');
  const bytes = shared(randomBytes(1_000_003));
  await writeFile(path, '');
  const files = openPartFiles();
  await Promise.all(
    [600_000, 0, 599_999].map((begin, index) =>
      files.write(path, bytes.subarray(begin, [1_000_003, 599_999, 600_000][index]), begin)
    )
  );
  await files.settle();
  await files.close();
  expect(bytes.equals(await readFile(path))).toBe(true);
});

test('a file that is not there fails each time anew', async () => {
  const path = join(await tmpFolder(), 'data');
  const files = openPartFiles();
  expect(await failure(files.write(path, shared('abc'), 0))).toMatchObject({ code: 'ENOENT' });
  await writeFile(path, '');
  await files.write(path, shared('abc'), 0);
  await files.close();
  expect(await readFile(path, 'utf8')).toBe('abc');
});

test('bytes that another thread cannot see are refused', async () => {
  const path = join(await tmpFolder(), 'data');
  await writeFile(path, '');
  const files = openPartFiles();
  expect(await failure(files.write(path, Buffer.alloc(5), 0))).toMatchObject({ code: 'Internal' });
  await files.close();
});

// A device that is always full.
test.runIf(existsSync('/dev/full'))('what the system says to a write comes from the other thread', async () => {
  const files = openPartFiles();
  expect(await failure(files.write('/dev/full', shared('abc'), 0))).toMatchObject({ code: 'ENOSPC', syscall: 'write' });
  await files.close();
});

// A device that takes all bytes and refuses to sync them, as a disk does that could not keep them.
test.runIf(existsSync('/dev/null'))('bytes that the disk could not keep are told before the end', async () => {
  const files = openPartFiles();
  await files.write('/dev/null', shared('abc'), 0);
  expect(await failure(files.settle())).toMatchObject({ syscall: 'fdatasync' });
  await files.close();
});

/** A write that is under way, and an empty file that is opened once `close` has let go of what it held. */
async function closeUnderWay(close: (files: ReturnType<typeof openPartFiles>, path: string) => Promise<void>) {
  const folder = await tmpFolder();
  const [path, other] = [join(folder, 'data'), join(folder, 'other')];
  await writeFile(path, '');
  const bytes = sharedBuffer(128 * MiB).fill(7);
  const files = openPartFiles();
  const writing = files.write(path, bytes, 0);
  await expect.poll(async () => (await stat(path)).size, { interval: 1 }).toBeGreaterThan(0);
  await close(files, path);
  const handle = await open(other, 'w');
  await writing;
  await handle.close();
  // No sync was tried of what is closed, which would pass for a loss.
  await files.settle();
  await files.close();
  return { isWhole: bytes.equals(await readFile(path)), otherBytes: (await stat(other)).size };
}

test('closing waits for what is being written, whose descriptor another file would get', async () => {
  expect(await closeUnderWay((files) => files.close())).toEqual({ isWhole: true, otherBytes: 0 });
});

test('a write that fails takes nothing from the others of its file', async () => {
  const failing = async (files: ReturnType<typeof openPartFiles>, path: string): Promise<void> => {
    expect(await failure(files.write(path, Buffer.alloc(3), 0))).toMatchObject({ code: 'Internal' });
  };
  expect(await closeUnderWay(failing)).toEqual({ isWhole: true, otherBytes: 0 });
});
