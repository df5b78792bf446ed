import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Manifest } from '../../src/core/contract.js';
import { encodeJson } from '../../src/dir/json-objects.js';
import { replaceManifest } from '../../src/dir/write-manifest.js';
import type { ObjectStore } from '../../src/storage/object-store.js';
import { startMemoryStore, type MemoryStore } from '../helpers/memory-store.js';
import { live } from '../helpers/transfer-setup.js';

const key = 'dir/.prefetch/manifest.json';
const manifestOf = (repo: string) => {
  const manifest = { version: 1, repo } as unknown as Manifest;
  return { manifest, bytes: encodeJson(manifest) };
};
const old = manifestOf('org/old');
const renewed = manifestOf('org/renewed');
const others = encodeJson({ repo: 'org/of-another-run' });
let store: MemoryStore;

beforeEach(async () => {
  store = await startMemoryStore();
  await store.put(key, old.bytes);
});
afterEach(() => store.close());

test('a manifest is replaced where it is still the one that was read', async () => {
  await replaceManifest({ store, dirKey: 'dir/' }, { old, renewed }, live());
  expect(store.objects.get(key)).toEqual(Buffer.from(renewed.bytes));
});

test.each(['before', 'after'])('what another run publishes %s it is looked at stays', async (when) => {
  const publish = () => store.put(key, others);
  const raced: ObjectStore = {
    ...store,
    get: async (...asked) => {
      if (when === 'before') await publish();
      const bytes = await store.get(...asked);
      if (when === 'after') await publish();
      return bytes;
    },
  };
  await replaceManifest({ store: raced, dirKey: 'dir/' }, { old, renewed }, live());
  expect(store.objects.get(key)).toEqual(Buffer.from(others));
});
