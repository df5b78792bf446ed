import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { MiB } from '../../../src/core/units.js';
import { sharedBuffer } from '../../../src/transfer/threads/worker-thread.js';
import { writeInThread } from '../../../src/transfer/threads/write-thread.js';
import { tmpFolder } from '../../helpers/tmp.js';
import { failure } from '../../helpers/transfer-setup.js';

const nextThread = (): Promise<Worker> => new Promise((resolve) => process.once('worker', resolve));

test('a thread that dies fails the write it had, and the next write gets another one', async () => {
  const path = join(await tmpFolder(), 'data');
  const handle = await open(path, 'w');
  const bytes = sharedBuffer(512 * MiB);
  const first = nextThread();
  const dying = failure(writeInThread(handle.fd, bytes, 0));
  await expect.poll(async () => (await stat(path)).size, { interval: 1 }).toBeGreaterThan(0);
  await (await first).terminate();
  expect(await dying).toMatchObject({ code: 'Internal', message: expect.stringContaining('writes files') as string });
  const { size } = await stat(path);
  expect(size).toBeLessThan(bytes.length);
  const second = nextThread();
  await writeInThread(handle.fd, bytes.subarray(0, 5).fill('hello'), 0);
  await second;
  await handle.close();
  expect((await readFile(path)).subarray(0, 5).toString()).toBe('hello');
});
