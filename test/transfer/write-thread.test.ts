import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { sharedBuffer } from '../../src/transfer/worker-thread.js';
import { writeInThread } from '../../src/transfer/write-thread.js';
import { tmpFolder } from '../helpers/tmp.js';
import { failure } from '../helpers/transfer-setup.js';

const nextThread = (): Promise<Worker> => new Promise((resolve) => process.once('worker', resolve));

test('a thread that dies fails the write it had, and the next write gets another one', async () => {
  const path = join(await tmpFolder(), 'data');
  const handle = await open(path, 'w');
  const bytes = sharedBuffer(5).fill('hello');
  const first = nextThread();
  const dying = failure(writeInThread(handle.fd, bytes, 0));
  await (await first).terminate();
  expect(await dying).toMatchObject({ code: 'Internal', message: expect.stringContaining('writes files') as string });
  const second = nextThread();
  await writeInThread(handle.fd, bytes, 5);
  await second;
  await handle.close();
  expect((await readFile(path)).subarray(5).toString()).toBe('hello');
});
