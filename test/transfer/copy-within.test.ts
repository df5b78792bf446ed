import { afterEach, describe, expect, test } from 'vitest';
import { PrefetchError } from '../../src/core/errors.js';
import { copyWithin } from '../../src/transfer/copy-within.js';
import { bytesOf, live, partSize, setUpTransfers } from '../helpers/transfer-setup.js';

const setup = setUpTransfers();
afterEach(() => setup.end());

describe.each([
  ['a small object', 100, true],
  ['a large object', 2 * partSize, true],
  ['a large object, by a store without conditions,', 2 * partSize, false],
])('%s', (_what, size, conditionalComplete) => {
  async function prepare() {
    const bytes = bytesOf(size);
    const { source } = await setup.request(bytes);
    const store = await setup.store({ conditionalComplete });
    const { etag } = await store.put('old', bytes);
    const { context } = setup.engine();
    const copy = (change: object = {}) =>
      copyWithin(context, { store, from: 'old', etag, to: 'new', source, ...change }, live());
    return { bytes, source, store, copy };
  }

  test('is copied inside the store, and the source is not asked', async () => {
    const { bytes, source, store, copy } = await prepare();
    expect(await copy()).toMatchObject({ etag: (await store.head('new'))?.etag, fetchedBytes: 0, how: 'found' });
    expect(store.objects.get('new')?.equals(bytes)).toBe(true);
    expect(source.starts).toEqual([]);
  });

  test('does not count where its bytes are not those that its record names', async () => {
    const { bytes, store, copy } = await prepare();
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(size - 1) ^ 1, size - 1);
    store.objects.set('old', flipped);
    // The etag is kept: nobody can tell by the record.
    expect(await copy({ etag: (await store.head('old'))?.etag })).toBeUndefined();
  });

  test('is left to its source where the original is gone', async () => {
    const { store, copy } = await prepare();
    store.objects.delete('old');
    expect(await copy()).toBeUndefined();
  });

  test('does not replace what has the key already', async () => {
    const { store, copy } = await prepare();
    await store.put('new', Buffer.from('somebody was first'));
    expect(await copy()).toBeUndefined();
    expect(String(store.objects.get('new'))).toBe('somebody was first');
  });
});

test('a copy does not replace what somebody wrote while it was asked for', async () => {
  const bytes = bytesOf(2 * partSize);
  const { source, store } = await setup.request(bytes);
  const { etag } = await store.put('old', bytes);
  const theirs = bytesOf(2 * partSize);
  const copy: typeof store.copy = (...args) => {
    store.objects.set('new', theirs);
    return store.copy(...args);
  };
  const { context } = setup.engine();
  expect(
    await copyWithin(context, { store: { ...store, copy }, from: 'old', etag, to: 'new', source }, live())
  ).toBeUndefined();
  expect(store.objects.get('new')?.equals(theirs)).toBe(true);
});

test('a store that does not copy leaves the file to its source', async () => {
  const bytes = bytesOf(2 * partSize);
  const { source, store } = await setup.request(bytes);
  const { etag } = await store.put('old', bytes);
  const copy = () => Promise.reject(new PrefetchError('UnsupportedStore', 'no copies here'));
  const request = { store: { ...store, copy }, from: 'old', etag, to: 'new', source };
  expect(await copyWithin(setup.engine().context, request, live())).toBeUndefined();
});
