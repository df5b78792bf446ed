import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { MiB } from '../../../src/core/units.js';
import { closeIdleSockets } from '../../../src/http/agents.js';
import { headDiffers } from '../../../src/shard/checkpoint/head-differs.js';
import { readCheckpoint } from '../../../src/shard/checkpoint/read-checkpoint.js';
import type { Dtype, TensorSpec } from '../../../src/safetensors/index.js';
import { startMemoryStore } from '../../helpers/memory-store.js';
import { failure, live } from '../../helpers/transfer-setup.js';
import { llama, without } from '../layout/configs.js';
import { DIR, placeOf, weightsWith } from './store-of-files.js';

const HEAD = 'lm_head.weight';
const EMBEDDING = 'model.embed_tokens.weight';
const tied = { ...llama, tie_word_embeddings: true };
// More than two of the stretches that are compared at once.
const shape = [9 * MiB, 1];
const store = await startMemoryStore();

beforeEach(() => {
  store.objects.clear();
  store.calls.length = 0;
});

afterAll(async () => {
  closeIdleSockets();
  await store.close();
});

function tensor(name: string, dtype: Dtype = 'BF16', dimensions: readonly number[] = shape): TensorSpec {
  return { name, dtype, shape: dimensions };
}

async function differs(files: Record<string, Uint8Array>, config: object = tied): Promise<boolean> {
  const place = await placeOf(store, { ...files, 'config.json': JSON.stringify(config) });
  const checkpoint = await readCheckpoint(place, live());
  store.calls.length = 0;
  return headDiffers(place, checkpoint, live());
}

/** A file with both, all zero but for one byte of the head. */
function withByte(at?: number): Uint8Array {
  const bytes = weightsWith([tensor(HEAD), tensor(EMBEDDING)]);
  const head = bytes.length - 4 * 9 * MiB;
  if (at !== undefined) bytes.writeUInt8(1, head + at);
  return bytes;
}

describe('a head that is said to be the embedding', () => {
  test('does not differ where it is equal to the last byte', async () => {
    expect(await differs({ 'm.safetensors': withByte() })).toBe(false);
    expect(store.calls).toHaveLength(10);
  });

  test.each([0, 4 * MiB, 9 * MiB, 18 * MiB - 1])('differs by its byte %i', async (at) => {
    expect(await differs({ 'm.safetensors': withByte(at) })).toBe(true);
  });

  test('is not read on once it differs', async () => {
    await differs({ 'm.safetensors': withByte(0) });
    expect(store.calls).toHaveLength(2);
  });

  test('may lie in another file', async () => {
    for (const byte of [0, 1]) {
      const files = {
        'a.safetensors': weightsWith([tensor(EMBEDDING)]),
        'b.safetensors': weightsWith([tensor(HEAD)], () => byte),
      };
      expect(await differs(files)).toBe(byte === 1);
    }
  });

  test.each([
    ['type', tensor(HEAD, 'F16')],
    ['size', tensor(HEAD, 'BF16', [MiB, 1])],
  ])('differs by its %s, of which no byte is read', async (_what, head) => {
    expect(await differs({ 'm.safetensors': weightsWith([head, tensor(EMBEDDING)]) })).toBe(true);
    expect(store.calls).toEqual([]);
  });
});

describe('nothing is read', () => {
  const both = { 'm.safetensors': weightsWith([tensor(HEAD, 'BF16', [4]), tensor(EMBEDDING, 'BF16', [4])]) };

  test.each([
    ['that is not said to be the embedding', both, without(tied, 'tie_word_embeddings')],
    ['that is not there', { 'm.safetensors': weightsWith([tensor(EMBEDDING, 'BF16', [4])]) }, tied],
    ['without an embedding', { 'm.safetensors': weightsWith([tensor(HEAD, 'BF16', [4])]) }, tied],
  ])('of a head %s', async (_what, files, config) => {
    expect(await differs(files, config)).toBe(false);
    expect(store.calls).toEqual([]);
  });
});

test('a store that fails tells nothing about the head', async () => {
  const place = await placeOf(store, { 'config.json': JSON.stringify(tied), 'm.safetensors': withByte() });
  const checkpoint = await readCheckpoint(place, live());
  store.objects.delete(`${DIR}m.safetensors`);
  expect(await failure(headDiffers(place, checkpoint, live()))).toMatchObject({ code: 'ObjectNotFound' });
});
