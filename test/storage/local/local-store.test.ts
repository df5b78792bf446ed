import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  appendFile,
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  statfs,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { collect } from '../../../src/storage/conformance/expectations.js';
import { sendPart } from '../../../src/storage/conformance/send-part.js';
import { openStore, type ObjectStore, type Receipt, type Upload } from '../../../src/storage/index.js';

let folder: string;
let store: ObjectStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'prefetch-local-'));
  store = await openStore(pathToFileURL(folder).href);
});

afterEach(async () => {
  await chmod(folder, 0o755);
  await rm(folder, { recursive: true, force: true });
});

test('makes the folder of its root when it is first written', async () => {
  const deep = await openStore(pathToFileURL(join(folder, 'a', 'b c')).href);
  expect(await keys(deep)).toEqual([]);
  await deep.checkWritable();
  await deep.put('x', text('1'));
  expect(await readFile(join(folder, 'a', 'b c', 'x'), 'utf8')).toBe('1');
});

test('leaves no temporary file behind', async () => {
  await store.put('a', text('1'));
  await store.copy('a', 'b');
  await expect(store.copy('a', 'c', { ifMatch: 'another' })).rejects.toThrow('StoreConflict');
  const { upload, receipts, size } = await uploaded('d');
  await store.completeUpload(upload, receipts, { size });
  expect(await readdir(join(folder, '.model-prefetch', 'tmp'))).toEqual([]);
  expect(await readdir(join(folder, '.model-prefetch', 'uploads'))).toEqual([]);
});

test('does not follow a link in the place of its own folder', async () => {
  const outside = await mkdtemp(join(tmpdir(), 'prefetch-outside-'));
  await symlink(outside, join(folder, '.model-prefetch'));
  await expect(store.put('a', text('1'))).rejects.toThrow(/^UnsafePath: .*is a link/);
  await expect(store.createUpload('a', { size: 10, partSize: 10 })).rejects.toThrow('UnsafePath');
  expect(await readdir(outside)).toEqual([]);
  await rm(outside, { recursive: true });
});

test('tells bytes that a link borrows from bytes of its own', async () => {
  await store.put('own', text('1'));
  await symlink(join(folder, 'own'), join(folder, 'borrowed'));
  expect(await store.head('borrowed')).toMatchObject({ size: 1, borrowed: true });
  expect((await collect(store.list(''))).map(({ key, borrowed }) => [key, borrowed])).toEqual([
    ['borrowed', true],
    ['own', undefined],
  ]);
  await store.put('borrowed', text('2'));
  expect(await store.head('borrowed')).not.toHaveProperty('borrowed');
  expect(String(await store.get('own'))).toBe('1');
});

test('lists nothing of its own folder', async () => {
  await store.createUpload('unfinished', { size: 10, partSize: 10 });
  await store.put('z', text('1'));
  expect(await keys(store)).toEqual(['z']);
  expect(await collect(store.listFolders(''))).toEqual([]);
});

test('refuses to write through a link that leads out of the root', async () => {
  const outside = await mkdtemp(join(tmpdir(), 'prefetch-outside-'));
  await symlink(outside, join(folder, 'link'));
  await expect(store.put('link/new/x', text('1'))).rejects.toThrow('UnsafePath');
  await store.put('a', text('1'));
  await expect(store.copy('a', 'link/a')).rejects.toThrow('UnsafePath');
  const { upload, receipts, size } = await uploaded('link/b');
  await expect(store.completeUpload(upload, receipts, { size })).rejects.toThrow('UnsafePath');
  expect(await readdir(outside)).toEqual([]);
  await rm(outside, { recursive: true });
});

test('writes through a link that stays inside the root', async () => {
  await mkdir(join(folder, 'real'));
  await symlink('real', join(folder, 'link'));
  await store.put('link/x', text('1'));
  expect(await readFile(join(folder, 'real', 'x'), 'utf8')).toBe('1');
});

test('replaces a link at the key itself instead of writing through it', async () => {
  const outside = join(await mkdtemp(join(tmpdir(), 'prefetch-outside-')), 'secret');
  await writeFile(outside, 'untouched');
  await symlink(outside, join(folder, 'x'));
  await store.put('x', text('new'));
  expect(await readFile(outside, 'utf8')).toBe('untouched');
  expect(await readFile(join(folder, 'x'), 'utf8')).toBe('new');
});

test('says so when a file stands where a folder is needed, and the other way round', async () => {
  await store.put('a', text('1'));
  await expect(store.put('a/b', text('2'))).rejects.toThrow(/^StoreConflict: .*a\/b/);
  await store.put('c/d', text('3'));
  await expect(store.put('c', text('4'))).rejects.toThrow(/^StoreConflict: .*c/);
  expect(await store.head('a/b')).toBeUndefined();
});

test('says so when a name is too long for the file system', async () => {
  await expect(store.put('n'.repeat(300), text('1'))).rejects.toThrow(/^UnsafePath: .*ENAMETOOLONG/);
});

test.skipIf(process.getuid?.() === 0)('fails as StoreAccessDenied where it may not write', async () => {
  await chmod(folder, 0o555);
  await expect(store.checkWritable()).rejects.toThrow(/^StoreAccessDenied: /);
  await expect(store.put('a', text('1'))).rejects.toThrow(/^StoreAccessDenied: /);
});

test('fails for good when the root itself is a file, or lies below one', async () => {
  await writeFile(join(folder, 'file'), '');
  for (const path of [join(folder, 'file'), join(folder, 'file', 'below')]) {
    const broken = await openStore(pathToFileURL(path).href);
    await expect(broken.checkWritable()).rejects.toThrow(/^StoreAccessDenied: .*no folder/);
  }
});

test('refuses an upload for which the disk is too small, before a byte moves', async () => {
  const size = 2 ** 60;
  await expect(store.createUpload('big', { size, partSize: 2 ** 30 })).rejects.toMatchObject({
    code: 'DiskFull',
    details: { path: folder, neededBytes: size },
  });
  await expect(store.checkWritable({ bytes: size })).rejects.toThrow(/^DiskFull: /);
  expect(existsSync(join(folder, '.model-prefetch', 'uploads'))).toBe(false);
});

test('counts the room that unfinished uploads have already, so that a disk of the size of a model can go on', async () => {
  const body = randomBytes(64 * 2 ** 20);
  const upload = await store.createUpload('model', { size: 2 * body.length, partSize: body.length });
  await sendPart(store, upload, { partNumber: 1, position: 0, body });
  const { bavail, bsize } = await statfs(folder);
  await store.checkWritable({ bytes: bavail * bsize + body.length / 2 });
});

test('passes over a torn line of the journal and goes on after it', async () => {
  const body = randomBytes(30);
  const upload = await store.createUpload('torn', { size: 30, partSize: 10 });
  await send(upload, body, 1);
  const journal = join(folder, '.model-prefetch', 'uploads', upload.id, 'parts.journal');
  await appendFile(journal, '\n{"kind":"confirmed","partNumber":2,"si');
  expect((await store.listParts(upload)).map(({ partNumber }) => partNumber)).toEqual([1]);
  const receipts = [await send(upload, body, 2), await send(upload, body, 3)];
  await store.completeUpload(upload, [...(await store.listParts(upload))], { size: 30 });
  expect(receipts).toHaveLength(2);
  expect(await readFile(join(folder, 'torn'))).toEqual(body);
});

test('counts a part as missing from the moment it is written again', async () => {
  const { upload, receipts, size } = await uploaded('again');
  await store.partTarget(upload, { partNumber: 2, position: 10, size: 10 });
  expect((await store.listParts(upload)).map(({ partNumber }) => partNumber)).toEqual([1, 3]);
  await expect(store.completeUpload(upload, receipts, { size })).rejects.toThrow(/^StoreConflict: .*part 2/);
});

test('refuses a part that is out of place', async () => {
  const upload = await store.createUpload('place', { size: 25, partSize: 10 });
  await expect(store.partTarget(upload, { partNumber: 2, position: 5, size: 10 })).rejects.toThrow('InvalidInput');
  await expect(store.partTarget(upload, { partNumber: 3, position: 20, size: 10 })).rejects.toThrow('InvalidInput');
  await expect(store.partTarget(upload, { partNumber: 4, position: 30, size: 10 })).rejects.toThrow('InvalidInput');
});

test('publishes nothing when the data file was cut', async () => {
  const { upload, receipts, size } = await uploaded('cut');
  await truncate(join(folder, '.model-prefetch', 'uploads', upload.id, 'data'), size - 1);
  await expect(store.completeUpload(upload, receipts, { size })).rejects.toThrow(/^StoreConflict: .*bytes/);
  expect(await store.head('cut')).toBeUndefined();
});

// A device that refuses to sync, as a disk does that could not keep what it was given.
test.runIf(existsSync('/dev/null'))('gives up an upload whose bytes the disk could not keep', async () => {
  const upload = await store.createUpload('lost', { size: 0, partSize: 10 });
  const data = join(folder, '.model-prefetch', 'uploads', upload.id, 'data');
  await rm(data);
  await symlink('/dev/null', data);
  await expect(store.completeUpload(upload, [], { size: 0 })).rejects.toThrow('StoreUnavailable');
  expect(await store.findUploads('lost')).toEqual([]);
  await expect(store.completeUpload(upload, [], { size: 0 })).rejects.toThrow('UploadNotFound');
});

test.each(['../../../etc', 'x', '', 'f'.repeat(32)])('finds no upload under the id %j', async (id) => {
  await expect(store.listParts({ key: 'x', id })).rejects.toThrow('UploadNotFound');
  await store.abortUpload({ key: 'x', id });
});

test('finds no upload whose record or data is broken', async () => {
  const { upload } = await uploaded('broken');
  const path = join(folder, '.model-prefetch', 'uploads', upload.id);
  await writeFile(join(path, 'upload.json'), '{"version":1,');
  expect(await store.findUploads('broken')).toEqual([]);
  await expect(store.listParts(upload)).rejects.toThrow('UploadNotFound');
});

test('takes no upload for unfinished whose data file has the name of its key already', async () => {
  const { upload, receipts, size } = await uploaded('killed');
  const path = join(folder, '.model-prefetch', 'uploads', upload.id);
  // As a process leaves it that is killed right after it gave the file its second name.
  await link(join(path, 'data'), join(folder, 'killed'));
  const part = { partNumber: 1, position: 0, size };
  await expect(store.partTarget(upload, part)).rejects.toThrow('UploadNotFound');
  await expect(store.completeUpload(upload, receipts, { size })).rejects.toThrow('UploadNotFound');
  expect(await store.findUploads('killed')).toEqual([]);
  expect(await readdir(join(folder, '.model-prefetch', 'uploads'))).toEqual([]);
  expect(await store.head('killed')).toMatchObject({ size });
});

test('ends the removal of an upload that was killed in the middle', async () => {
  const { upload } = await uploaded('half-removed');
  const path = join(folder, '.model-prefetch', 'uploads', upload.id);
  await rename(path, `${path}.removed`);
  expect(await store.findUploads('half-removed')).toEqual([]);
  expect(await readdir(join(folder, '.model-prefetch', 'uploads'))).toEqual([]);
});

test('sweeps away what nobody touched for long, and nothing else', async () => {
  const old = await store.createUpload('old', { size: 10, partSize: 10 });
  const young = await store.createUpload('young', { size: 10, partSize: 10 });
  const path = join(folder, '.model-prefetch', 'uploads', old.id);
  const monthAgo = new Date(Date.now() - 30 * 24 * 60 * 60_000);
  for (const name of await readdir(path)) await utimes(join(path, name), monthAgo, monthAgo);
  await utimes(path, monthAgo, monthAgo);
  await store.checkWritable();
  expect(await store.findUploads('old')).toEqual([]);
  expect(await store.findUploads('young')).toEqual([young]);
});

test('copies with an abort in the middle and publishes nothing', async () => {
  await store.put('from', randomBytes(50_000_000));
  const controller = new AbortController();
  const copying = store.copy('from', 'to', { signal: controller.signal });
  setImmediate(() => {
    controller.abort();
  });
  await copying.catch(() => undefined);
  const copied = await store.head('to');
  expect(copied === undefined || copied.size === 50_000_000).toBe(true);
});

async function uploaded(key: string): Promise<{ upload: Upload; receipts: Receipt[]; size: number }> {
  const body = randomBytes(30);
  const upload = await store.createUpload(key, { size: 30, partSize: 10 });
  const receipts = [await send(upload, body, 1), await send(upload, body, 2), await send(upload, body, 3)];
  return { upload, receipts, size: 30 };
}

function send(upload: Upload, body: Uint8Array, partNumber: number): Promise<Receipt> {
  const position = (partNumber - 1) * 10;
  return sendPart(store, upload, { partNumber, position, body: body.subarray(position, position + 10) });
}

async function keys(from: ObjectStore): Promise<string[]> {
  return (await collect(from.list(''))).map(({ key }) => key);
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
