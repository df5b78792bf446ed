import assert from 'node:assert/strict';

import type { ConformanceCheck } from '../conformance.js';
import { assertBytes, assertFails, bytes, collect, pattern } from './expectations.js';

const oddKeys = [
  'a b/c  d.txt',
  'hash#tag/100%/a+b=c&d?.bin',
  '%2F%20literal',
  "quotes'()*!/[x]{y}|~^`",
  'größe/模型/ключ/🤗.json',
  'a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z',
  '.gitattributes',
  '.hidden/..dots../...',
  '-dash/--flag',
  Array.from({ length: 9 }, () => 'x'.repeat(99)).join('/'),
] as const;

/** Single objects: whole or not at all, under any key. */
export function checkObjects(check: ConformanceCheck): void {
  check('says that it can be written', async ({ store }) => {
    await store.checkWritable();
    assert.deepEqual(await collect(store.list('')), []);
  });

  check('gives back what was put', async ({ store }) => {
    const body = pattern(100_000);
    const info = await store.put('folder/object.bin', body, { contentType: 'application/octet-stream' });
    assert.equal(info.key, 'folder/object.bin');
    assert.equal(info.size, body.byteLength);
    assert.deepEqual(await store.head('folder/object.bin'), info);
    assertBytes(await store.get('folder/object.bin'), body);
  });

  check('keeps empty objects', async ({ store }) => {
    assert.equal((await store.put('empty', bytes(''))).size, 0);
    assert.equal((await store.head('empty'))?.size, 0);
    assertBytes(await store.get('empty'), bytes(''));
  });

  check('has nothing where nothing was put', async ({ store }) => {
    assert.equal(await store.head('missing/object'), undefined);
    assert.equal(await store.get('missing/object'), undefined);
    await store.put('folder/object', bytes('1'));
    assert.equal(await store.head('folder'), undefined);
    assert.equal(await store.get('folder'), undefined);
  });

  check('replaces an object and changes its etag', async ({ store }) => {
    const first = await store.put('replaced', bytes('the first'));
    const second = await store.put('replaced', bytes('a second'));
    assert.notEqual(first.etag, second.etag);
    assertBytes(await store.get('replaced'), bytes('a second'));
  });

  check('keeps odd keys as they are', async ({ store }) => {
    for (const key of oddKeys) await store.put(key, bytes(key));
    for (const key of oddKeys) assertBytes(await store.get(key), bytes(key));
    const listed = (await collect(store.list(''))).map(({ key }) => key);
    assert.deepEqual(listed.sort(), [...oddKeys].sort());
  });

  check('refuses keys that could leave the root or mean two things', async ({ store }) => {
    const refused = [
      '',
      '/absolute',
      '../outside',
      'a/../../outside',
      'a//b',
      'a/',
      './a',
      'a\0b',
      'line\nbreak',
      '\ud800',
    ];
    for (const key of [...refused, '.model-prefetch/own']) {
      await assertFails(() => store.put(key, bytes('x')), 'UnsafePath');
      await assertFails(() => store.get(key), 'UnsafePath');
      await assertFails(() => store.createUpload(key, { size: 1, partSize: 1 }), 'UnsafePath');
    }
    assert.deepEqual(await collect(store.list('')), []);
  });

  check('shows readers a whole object while it is replaced', async ({ store }) => {
    const bodies = [pattern(300_000, 1), pattern(200_000, 2), pattern(100_000, 3)];
    await store.put('contended', bodies[0] ?? bytes(''));
    const writes = Promise.all([...bodies, ...bodies].map((body) => store.put('contended', body)));
    for (let reads = 0; reads < 10; reads++) {
      const found = await store.get('contended');
      assert.ok(
        found !== undefined && bodies.some((body) => Buffer.compare(body, found) === 0),
        'a mixed or cut object'
      );
    }
    await writes;
  });

  check('takes many puts at once', async ({ store }) => {
    const keys = Array.from({ length: 50 }, (_, number) => `many/${number % 5}/${number}`);
    await Promise.all(keys.map((key) => store.put(key, bytes(key))));
    for (const key of keys) assertBytes(await store.get(key), bytes(key));
  });

  check('deletes, and deleting again is no error', async ({ store }) => {
    await store.put('folder/gone', bytes('x'));
    await store.delete('folder/gone');
    await store.delete('folder/gone');
    await store.delete('never/there');
    assert.equal(await store.head('folder/gone'), undefined);
    assert.deepEqual(await collect(store.listFolders('')), []);
  });

  check('deletes many at once, and those that are not there are no error', async ({ store }) => {
    const keys = Array.from({ length: 40 }, (_, number) => `bulk/${number % 3}/ö #${number}`);
    await Promise.all(keys.map((key) => store.put(key, bytes(key))));
    await store.put('bulk/kept', bytes('x'));
    await store.deleteMany([...keys.slice(0, 30), 'bulk/never/there', ...keys.slice(30)]);
    assert.deepEqual(
      (await collect(store.list('bulk/'))).map(({ key }) => key),
      ['bulk/kept']
    );
    await store.deleteMany([]);
    await assertFails(() => store.deleteMany(['bulk/kept', '../outside']), 'UnsafePath');
  });

  check('puts only where nothing has the key, when asked and able to', async ({ store }) => {
    if (!(await store.capabilities()).putIfAbsent) return;
    const info = await store.put('first', bytes('was first'), { ifAbsent: true });
    assert.deepEqual(await store.head('first'), info);
    await assertFails(() => store.put('first', bytes('second'), { ifAbsent: true }), 'ObjectExists');
    assertBytes(await store.get('first'), bytes('was first'));
  });

  check('puts only over the object that it was told to, when asked and able to', async ({ store }) => {
    if (!(await store.capabilities()).putIfMatch) return;
    const first = await store.put('swapped', bytes('the first'));
    const second = await store.put('swapped', bytes('a second'), { ifMatch: first.etag });
    await assertFails(() => store.put('swapped', bytes('too late'), { ifMatch: first.etag }), 'StoreConflict');
    assertBytes(await store.get('swapped'), bytes('a second'));
    await store.delete('swapped');
    await assertFails(() => store.put('swapped', bytes('gone'), { ifMatch: second.etag }), 'StoreConflict');
    assert.equal(await store.head('swapped'), undefined);
  });

  check('copies inside the store', async ({ store }) => {
    const body = pattern(50_000);
    const source = await store.put('from/a b#1', body);
    const copied = await store.copy('from/a b#1', 'to/größe', { ifMatch: source.etag });
    assert.equal(copied.key, 'to/größe');
    assert.equal(copied.size, body.byteLength);
    assert.deepEqual(await store.head('to/größe'), copied);
    assertBytes(await store.get('to/größe'), body);
  });

  check('copies only the source that it was told to', async ({ store }) => {
    const before = await store.put('from', bytes('before'));
    await store.put('from', bytes('after, and longer'));
    await assertFails(() => store.copy('from', 'to', { ifMatch: before.etag }), 'StoreConflict');
    await assertFails(() => store.copy('not there', 'to'), 'ObjectNotFound');
    assert.equal(await store.head('to'), undefined);
  });

  check('copies only where nothing has the key, when asked and able to', async ({ store }) => {
    if (!(await store.capabilities()).conditionalComplete) return;
    const body = pattern(50_000);
    await store.put('from', body);
    await store.put('taken', bytes('was first'));
    await assertFails(() => store.copy('from', 'taken', { ifAbsent: true }), 'ObjectExists');
    assertBytes(await store.get('taken'), bytes('was first'));
    const copied = await store.copy('from', 'free', { ifAbsent: true });
    assert.deepEqual(await store.head('free'), copied);
    assertBytes(await store.get('free'), body);
    assert.deepEqual(await store.findUploads('free'), []);
  });

  check('starts nothing after an abort', async ({ store }) => {
    const signal = AbortSignal.abort();
    await assert.rejects(() => store.put('aborted', bytes('x'), { signal }));
    await assert.rejects(() => store.get('aborted', { signal }));
    assert.equal(await store.head('aborted'), undefined);
  });
}
