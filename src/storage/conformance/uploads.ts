import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';

import type { ConformanceCheck } from '../conformance.js';
import type { ObjectStore, PartDescription, Receipt, Upload } from '../object-store.js';
import { assertBytes, assertFails, bytes, collect, pattern } from './expectations.js';
import { sendHalfAPart, sendPart, stoppedWriter } from './send-part.js';

/** An object in three parts, the last one short, with the smallest parts that the store takes. */
interface Sample {
  readonly body: Uint8Array;
  readonly partSize: number;
}

/** Multipart uploads: any order, sent again, taken up again, never visible before they are complete. */
export function checkUploads(check: ConformanceCheck): void {
  const checkMultipart: ConformanceCheck = (title, run) => {
    check(title, async (given) => {
      if ((await given.store.capabilities()).multipart) await run(given);
    });
  };

  checkMultipart('takes parts in any order and publishes at the end', async ({ store }) => {
    const { body, partSize } = await sampleFor(store);
    const upload = await store.createUpload('up/größe #1', { size: body.byteLength, partSize });
    const receipts = [];
    for (const partNumber of [3, 1, 2]) receipts.push(await send(store, upload, { body, partSize, partNumber }));
    assert.equal(await store.head('up/größe #1'), undefined);
    assert.deepEqual(await collect(store.list('')), []);
    const info = await store.completeUpload(upload, inOrder(receipts), { size: body.byteLength });
    assert.equal(info.key, 'up/größe #1');
    assert.equal(info.size, body.byteLength);
    assert.deepEqual(await store.head('up/größe #1'), info);
    assertBytes(await store.get('up/größe #1'), body);
    assert.deepEqual(await store.findUploads('up/größe #1'), []);
  });

  checkMultipart('replaces an object by a completed upload', async ({ store }) => {
    await store.put('replaced', bytes('small'));
    const { body, partSize } = await sampleFor(store);
    const upload = await store.createUpload('replaced', { size: body.byteLength, partSize });
    const receipts = await sendAll(store, upload, { body, partSize });
    assertBytes(await store.get('replaced'), bytes('small'));
    await store.completeUpload(upload, receipts, { size: body.byteLength });
    assertBytes(await store.get('replaced'), body);
  });

  checkMultipart('leaves an object of another writer alone, when asked and able to', async ({ store }) => {
    const { conditionalComplete } = await store.capabilities();
    if (!conditionalComplete) return;
    const { body, partSize } = await sampleFor(store);
    const upload = await store.createUpload('first', { size: body.byteLength, partSize });
    const receipts = await sendAll(store, upload, { body, partSize });
    await store.put('first', bytes('was first'));
    const complete = () => store.completeUpload(upload, receipts, { size: body.byteLength, ifAbsent: true });
    await assertFails(complete, 'ObjectExists');
    assertBytes(await store.get('first'), bytes('was first'));
    await store.delete('first');
    await complete();
    assertBytes(await store.get('first'), body);
  });

  checkMultipart('uses the last bytes of a part that was sent again', async ({ store }) => {
    const { body, partSize } = await sampleFor(store);
    const upload = await store.createUpload('again', { size: body.byteLength, partSize });
    await sendPart(store, upload, { partNumber: 1, position: 0, body: pattern(partSize, 99) });
    const receipts = await sendAll(store, upload, { body, partSize });
    assert.deepEqual(partNumbers(await store.listParts(upload)), [1, 2, 3]);
    await store.completeUpload(upload, receipts, { size: body.byteLength });
    assertBytes(await store.get('again'), body);
  });

  checkMultipart('is taken up again by another process', async ({ store, reopen }) => {
    const { body, partSize } = await sampleFor(store);
    const upload = await store.createUpload('resumed', { size: body.byteLength, partSize });
    await send(store, upload, { body, partSize, partNumber: 2 });
    const other = await reopen();
    const [found] = await other.findUploads('resumed');
    assert.deepEqual(found, upload);
    assert.deepEqual(await other.findUploads('resume'), []);
    const held = await other.listParts(upload);
    assert.deepEqual(
      held.map(({ partNumber, size }) => [partNumber, size]),
      [[2, partSize]]
    );
    const first = await send(other, upload, { body, partSize, partNumber: 1 });
    const last = await send(other, upload, { body, partSize, partNumber: 3 });
    await other.completeUpload(upload, inOrder([...held, first, last]), { size: body.byteLength });
    assertBytes(await store.get('resumed'), body);
    await other.close();
  });

  checkMultipart('lists the uploads of a folder, where it says so', async ({ store }) => {
    if (!(await store.capabilities()).listsUploads) return;
    const { body, partSize } = await sampleFor(store);
    const inside = ['folder/a', 'folder/b/ü'];
    for (const key of [...inside, 'folder-2/c']) {
      const upload = await store.createUpload(key, { size: body.byteLength, partSize });
      await send(store, upload, { body, partSize, partNumber: 1 });
    }
    const began = Date.now() - 60 * 60_000;
    const listed = await collect(store.listUploads('folder/'));
    assert.deepEqual(listed.map(({ key }) => key).sort(), inside);
    assert.ok(
      listed.every(({ startedMs }) => startedMs > began),
      'an upload of now is told to be old'
    );
    const { key, id } = listed[0] ?? assert.fail('no upload is listed');
    assert.deepEqual(await store.findUploads(key), [{ key, id }]);
    assert.deepEqual(await collect(store.listUploads('unknown/')), []);
    for (const upload of await collect(store.listUploads(''))) await store.abortUpload(upload);
  });

  checkMultipart('takes parts of several sizes, where it says so', async ({ store }) => {
    const { equalParts, minPartSize } = await store.capabilities();
    if (equalParts) return;
    const sizes = [minPartSize + 7, minPartSize, minPartSize + 1];
    const body = pattern(sizes.reduce((sum, size) => sum + size, 0));
    const upload = await store.createUpload('uneven', { size: body.byteLength, partSize: minPartSize + 7 });
    const receipts = [];
    let position = 0;
    for (const [index, size] of sizes.entries()) {
      const part = { partNumber: index + 1, position, body: body.subarray(position, position + size) };
      receipts.push(await sendPart(store, upload, part));
      position += size;
    }
    await store.completeUpload(upload, receipts, { size: body.byteLength });
    assertBytes(await store.get('uneven'), body);
  });

  checkMultipart('finds the newest of several uploads first', async ({ store }) => {
    if (!(await store.capabilities()).uploadIds) return;
    const older = await store.createUpload('several', { size: 10, partSize: 10 });
    const newer = await store.createUpload('several', { size: 10, partSize: 10 });
    const found = await store.findUploads('several');
    assert.equal(found.length, 2);
    assert.deepEqual(new Set(found.map(({ id }) => id)), new Set([older.id, newer.id]));
    for (const upload of found) await store.abortUpload(upload);
  });

  checkMultipart('publishes nothing while a part is missing', async ({ store }) => {
    const { body, partSize } = await sampleFor(store);
    const upload = await store.createUpload('missing-part', { size: body.byteLength, partSize });
    const first = await send(store, upload, { body, partSize, partNumber: 1 });
    const last = await send(store, upload, { body, partSize, partNumber: 3 });
    const size = body.byteLength;
    await assertFails(() => store.completeUpload(upload, [first, last], { size }), 'StoreConflict');
    const invented: Receipt = { partNumber: 2, size: partSize, etag: first.etag };
    await assertFails(() => store.completeUpload(upload, [first, invented, last], { size }), 'StoreConflict');
    assert.equal(await store.head('missing-part'), undefined);
  });

  checkMultipart('publishes nothing of a part that was cut', async ({ store }) => {
    const { body, partSize } = await sampleFor(store);
    const upload = await store.createUpload('cut', { size: body.byteLength, partSize });
    await sendHalfAPart(store, upload, { partNumber: 1, position: 0, body: body.subarray(0, partSize) });
    assert.deepEqual(await store.listParts(upload), []);
    assert.equal(await store.head('cut'), undefined);
    await store.completeUpload(upload, await sendAll(store, upload, { body, partSize }), { size: body.byteLength });
    assertBytes(await store.get('cut'), body);
  });

  checkMultipart('forgets an aborted upload, and aborting again is no error', async ({ store }) => {
    const { body, partSize } = await sampleFor(store);
    const upload = await store.createUpload('aborted', { size: body.byteLength, partSize });
    const receipt = await send(store, upload, { body, partSize, partNumber: 1 });
    await store.abortUpload(upload);
    await store.abortUpload(upload);
    if (!(await store.capabilities()).uploadIds) return;
    assert.deepEqual(await store.findUploads('aborted'), []);
    await assertFails(() => store.listParts(upload), 'UploadNotFound');
    await assertFails(() => store.completeUpload(upload, [receipt], { size: body.byteLength }), 'UploadNotFound');
    assert.equal(await store.head('aborted'), undefined);
  });

  checkMultipart('says that an upload is gone when a complete is asked for again', async ({ store }) => {
    const { body, partSize } = await sampleFor(store);
    const upload = await store.createUpload('twice', { size: body.byteLength, partSize });
    const receipts = await sendAll(store, upload, { body, partSize });
    const complete = () => store.completeUpload(upload, receipts, { size: body.byteLength });
    const info = await complete();
    await assertFails(complete, 'UploadNotFound');
    assert.deepEqual(await store.head('twice'), info);
  });

  checkMultipart('keeps late bytes of a former writer out of what was taken over', async ({ store, reopen }) => {
    const { body, partSize } = await sampleFor(store);
    const upload = await store.createUpload('late', { size: body.byteLength, partSize });
    await send(store, upload, { body, partSize, partNumber: 1 });
    const bad = pattern(partSize, 7);
    const part: PartDescription = { partNumber: 2, position: partSize, size: partSize, crc32: crc32(bad) };
    const wakeUp = await stoppedWriter(store, upload, part);
    const other = await reopen();
    const [found] = await other.findUploads('late');
    assert.ok(found !== undefined);
    const taken = (await other.takeOver?.(found)) ?? found;
    assert.deepEqual(partNumbers(await other.listParts(taken)), [1]);
    const rest = [2, 3].map((partNumber) => send(other, taken, { body, partSize, partNumber }));
    const receipts = [...(await other.listParts(taken)).slice(0, 1), ...(await Promise.all(rest))];
    await other.completeUpload(taken, receipts, { size: body.byteLength });
    await wakeUp(bad);
    assertBytes(await store.get('late'), body);
    for (const left of await other.findUploads('late')) await other.abortUpload(left);
    await other.close();
  });
}

async function sampleFor(store: ObjectStore): Promise<Sample> {
  const partSize = Math.max(64 * 1024, (await store.capabilities()).minPartSize);
  return { partSize, body: pattern(2 * partSize + 12_345) };
}

async function sendAll(store: ObjectStore, upload: Upload, sample: Sample): Promise<Receipt[]> {
  return Promise.all([1, 2, 3].map((partNumber) => send(store, upload, { ...sample, partNumber })));
}

function send(store: ObjectStore, upload: Upload, part: Sample & { readonly partNumber: number }): Promise<Receipt> {
  const position = (part.partNumber - 1) * part.partSize;
  const body = part.body.subarray(position, position + part.partSize);
  return sendPart(store, upload, { partNumber: part.partNumber, position, body });
}

function inOrder(receipts: readonly Receipt[]): Receipt[] {
  return [...receipts].sort((a, b) => a.partNumber - b.partNumber);
}

function partNumbers(receipts: readonly Receipt[]): number[] {
  return receipts.map(({ partNumber }) => partNumber);
}
