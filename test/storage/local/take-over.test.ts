import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, readdir, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { pattern } from '../../../src/storage/conformance/expectations.js';
import { sendPart } from '../../../src/storage/conformance/send-part.js';
import { openStore, type ObjectStore, type Upload } from '../../../src/storage/index.js';
import { isProvenDead, thisWriter, type WriterIdentity } from '../../../src/storage/local/writer-identity.js';
import { tmpFolder } from '../../helpers/tmp.js';

const partSize = 50_000;
const body = pattern(3 * partSize - 7);
const size = body.length;

let folder: string;
let store: ObjectStore;

beforeEach(async () => {
  folder = await tmpFolder();
  store = await openStore(pathToFileURL(folder).href);
});

const send = (to: ObjectStore, upload: Upload, partNumber: number) => {
  const position = (partNumber - 1) * partSize;
  return sendPart(to, upload, { partNumber, position, body: body.subarray(position, position + partSize) });
};
const dataOf = ({ id }: Upload) => join(folder, '.model-prefetch', 'uploads', id, 'data');

/** An upload with its first part, as a writer left it that is described like this. */
async function leftBy(writer: WriterIdentity | undefined): Promise<Upload> {
  const upload = await store.createUpload('model.bin', { size, partSize });
  await send(store, upload, 1);
  const path = join(folder, '.model-prefetch', 'uploads', upload.id, 'upload.json');
  const record = JSON.parse(await readFile(path, 'utf8')) as { writer?: object };
  record.writer = { instance: 'another', ...(writer === undefined ? {} : { process: writer }) };
  await writeFile(path, JSON.stringify(record));
  return upload;
}

async function takenOver(upload: Upload): Promise<Upload> {
  const taken = await store.takeOver?.(upload);
  if (taken === undefined) throw new Error('the local store knows late writers');
  return taken;
}

test('an upload of the same store instance is gone on with as it is', async () => {
  const upload = await store.createUpload('model.bin', { size, partSize });
  expect(await takenOver(upload)).toEqual(upload);
});

test.skipIf(thisWriter() === undefined)(
  'an upload of a process that is gone is taken without copying a byte',
  async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const { pid = 0 } = child;
    const start = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(' ')[21] ?? '';
    const writer = { ...thisWriterHere(), pid, start };
    const upload = await leftBy(writer);
    const { ino } = await stat(dataOf(upload));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const taken = await takenOver(upload);
    expect((await stat(dataOf(taken))).ino).toBe(ino);
    expect(await store.findUploads('model.bin')).toEqual([taken]);
    expect((await store.listParts(taken)).map(({ partNumber }) => partNumber)).toEqual([1]);
  }
);

describe('an upload whose writer may still be there', () => {
  test.each<[string, () => WriterIdentity | undefined]>([
    ['is a process that runs', () => thisWriterHere()],
    ['is one of another machine or container', () => ({ ...thisWriterHere(), system: 'elsewhere', pid: 2 ** 22 + 1 })],
    ['did not say who it is, as those of earlier versions', () => undefined],
  ])('is copied where it %s, and nothing that it writes late is ever seen', async (_who, writer) => {
    const upload = await leftBy(writer());
    const late = await open(dataOf(upload), 'r+');
    const taken = await takenOver(upload);
    expect(taken.id).not.toBe(upload.id);
    const held = await store.listParts(taken);
    expect(held.map(({ partNumber }) => partNumber)).toEqual([1]);
    const receipts = [...held, await send(store, taken, 2), await send(store, taken, 3)];
    await store.completeUpload(taken, receipts, { size, ifAbsent: true });
    await late.write(Buffer.alloc(size, 0xff), 0, size, 0);
    await late.close();
    expect(Buffer.compare((await store.get('model.bin')) ?? Buffer.alloc(0), body)).toBe(0);
    // It is left to its writer, who may go on with it.
    expect(await store.findUploads('model.bin')).toEqual([upload]);
  });

  test('gives no part that its writer began to send again', async () => {
    const upload = await leftBy(thisWriterHere());
    await send(store, upload, 2);
    await store.partTarget(upload, { partNumber: 1, position: 0, size: partSize });
    expect((await store.listParts(await takenOver(upload))).map(({ partNumber }) => partNumber)).toEqual([2]);
  });
});

describe('what a process left that was killed while it copied parts', () => {
  const uploads = () => join(folder, '.model-prefetch', 'uploads');
  const half = async (writer: WriterIdentity | undefined) => {
    const { id } = await leftBy(writer);
    await rename(join(uploads(), id), join(uploads(), `${id}.filling`));
    return `${id}.filling`;
  };

  test.skipIf(thisWriter() === undefined)('is removed by the next that looks', async () => {
    await half({ ...thisWriterHere(), start: '1' });
    expect(await store.findUploads('another')).toEqual([]);
    expect(await readdir(uploads())).toEqual([]);
  });

  test.each<[string, WriterIdentity | undefined]>([
    ['runs', thisWriterHere()],
    ['is of another machine', { ...thisWriterHere(), system: 'elsewhere' }],
    ['is not known', undefined],
  ])('is no upload yet, and stays while its process %s', async (_how, writer) => {
    const name = await half(writer);
    expect(await store.findUploads('model.bin')).toEqual([]);
    expect(await readdir(uploads())).toEqual([name]);
  });

  test('stays without a record for a minute: the process may be about to write it', async () => {
    const path = join(uploads(), `${'a'.repeat(32)}.filling`);
    await mkdir(path, { recursive: true });
    await store.findUploads('model.bin');
    expect(await readdir(uploads())).toHaveLength(1);
    const before = new Date(Date.now() - 61_000);
    await utimes(path, before, before);
    await store.findUploads('model.bin');
    expect(await readdir(uploads())).toEqual([]);
  });
});

test('only one of two takes the upload of a dead process over', async () => {
  if (thisWriter() === undefined) return;
  const upload = await leftBy({ ...thisWriterHere(), start: '1' });
  const other = await openStore(pathToFileURL(folder).href);
  const both = await Promise.allSettled([store.takeOver?.(upload), other.takeOver?.(upload)]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(await readdir(join(folder, '.model-prefetch', 'uploads'))).toHaveLength(1);
});

test('a process is proven dead by nothing but its end', async () => {
  const here = thisWriter();
  if (here === undefined) return;
  expect(await isProvenDead(here)).toBe(false);
  expect(await isProvenDead(undefined)).toBe(false);
  expect(await isProvenDead({ ...here, system: 'another boot' })).toBe(false);
  // The same PID, begun at another time, is another process.
  expect(await isProvenDead({ ...here, start: '1' })).toBe(true);
  expect(await isProvenDead({ ...here, pid: 2 ** 22 + 1 })).toBe(true);
});

function thisWriterHere(): WriterIdentity {
  return thisWriter() ?? { system: 'unknown', pid: process.pid, start: '0' };
}
