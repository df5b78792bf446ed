import assert from 'node:assert/strict';

import type { ConformanceCheck } from '../conformance.js';
import type { ObjectStore } from '../object-store.js';
import { bytes, collect } from './expectations.js';

/** More than one page of every known store. */
const MANY = 1_050;

/** Listing: complete, in the order of the keys' UTF-8 bytes, by any prefix. */
export function checkListing(check: ConformanceCheck): void {
  check('lists nothing in an empty store and under an unknown prefix', async ({ store }) => {
    assert.deepEqual(await keysOf(store, ''), []);
    assert.deepEqual(await keysOf(store, 'unknown/'), []);
    assert.deepEqual(await collect(store.listFolders('unknown/')), []);
  });

  check('lists in the order of the keys', async ({ store }) => {
    const keys = ['a-b', 'a/z', 'a/z-y', 'a/z/1', 'ab', 'a0', 'B', 'z', 'é', '模', '🤗'].filter((key) => key !== 'a/z');
    for (const key of keys) await store.put(key, bytes('x'));
    const sorted = keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    assert.deepEqual(await keysOf(store, ''), sorted);
  });

  check('lists what head says', async ({ store }) => {
    await store.put('a/1', bytes('12345'));
    assert.deepEqual(await collect(store.list('a/')), [await store.head('a/1')]);
  });

  check('lists by a prefix that ends anywhere', async ({ store }) => {
    for (const key of ['model/a', 'model/b/c', 'model-2/a', 'modest', 'other/a b']) await store.put(key, bytes('x'));
    assert.deepEqual(await keysOf(store, 'model/'), ['model/a', 'model/b/c']);
    assert.deepEqual(await keysOf(store, 'mod'), ['model-2/a', 'model/a', 'model/b/c', 'modest']);
    assert.deepEqual(await keysOf(store, 'model/b'), ['model/b/c']);
    assert.deepEqual(await keysOf(store, 'other/a '), ['other/a b']);
  });

  check('lists folders once each, without slashes', async ({ store }) => {
    for (const key of ['m/c1/x', 'm/c1/y/z', 'm/c2 é/x', 'm/file', 'top']) await store.put(key, bytes('x'));
    assert.deepEqual((await collect(store.listFolders('m/'))).sort(), ['c1', 'c2 é']);
    assert.deepEqual(await collect(store.listFolders('')), ['m']);
  });

  check('lists over many pages', async ({ store }) => {
    const keys = Array.from({ length: MANY }, (_, number) => `many/${String(number).padStart(5, '0')}`);
    const waiting = [...keys];
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) await store.put(key, bytes('x'));
      })
    );
    assert.deepEqual(await keysOf(store, 'many/'), keys);
  });
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  return (await collect(store.list(prefix))).map(({ key }) => key);
}
