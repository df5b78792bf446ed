import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { MiB } from '../../../src/core/units.js';
import { closeIdleSockets } from '../../../src/http/agents.js';
import { readCheckpoint, type Checkpoint } from '../../../src/shard/checkpoint/read-checkpoint.js';
import { rangeOf } from '../../helpers/local-server.js';
import { startMemoryStore, type MemoryStore } from '../../helpers/memory-store.js';
import { lateRefusal } from '../../helpers/refusal.js';
import { failure, live } from '../../helpers/transfer-setup.js';
import { DIR, placeOf, rawWeights, weightsWith } from './store-of-files.js';

const INDEX = 'model.safetensors.index.json';
const store: MemoryStore = await startMemoryStore();
/** First and last byte of each read of weights. */
let reads: string[] = [];

beforeEach(() => {
  store.objects.clear();
  reads = [];
  store.faults.intercept = (request, _response, name) => {
    const { start, end } = rangeOf(request, Infinity);
    reads.push(`${name.replace(`GET ${DIR}`, '')} ${String(start)}-${String(end)}`);
    return false;
  };
});

afterAll(async () => {
  closeIdleSockets();
  await store.close();
});

const tensor = (name: string) => ({ name, dtype: 'BF16', shape: [4] }) as const;
const [one, two] = [weightsWith([tensor('a'), tensor('b')]), weightsWith([tensor('c')])];
const headerOf = (text: string) => rawWeights(text.length, text);
const indexOf = (weightMap: Record<string, unknown>) => JSON.stringify({ metadata: {}, weight_map: weightMap });

const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

async function read(files: Record<string, string | Uint8Array>): Promise<Checkpoint> {
  return readCheckpoint(await placeOf(store, files), live());
}

describe('a checkpoint', () => {
  test('is its config, its weights with their headers, and what goes with them', async () => {
    const config = { architectures: ['A'], hidden_size: 4 };
    const checkpoint = await read({
      'config.json': JSON.stringify(config),
      'tokenizer.json': '{}',
      'model.safetensors': one,
      'sub/model.safetensors': two,
      'consolidated.safetensors': two,
      'pytorch_model.bin': 'pickle',
    });
    expect(checkpoint.config).toEqual(config);
    expect(checkpoint.others.map(({ path }) => path)).toEqual(['config.json', 'tokenizer.json']);
    const [file, ...more] = checkpoint.weights;
    expect(more).toEqual([]);
    expect(file).toMatchObject({ path: 'model.safetensors', size: one.length });
    expect(file?.etag).toBe((await store.head(`${DIR}model.safetensors`))?.etag);
    expect(file?.header.tensors.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('of many files has the headers of all, whose bytes are not read', async () => {
    const names = Array.from({ length: 19 }, (_, index) => `model-${String(index).padStart(2, '0')}.safetensors`);
    const files = names.map((name) => [name, weightsWith([{ ...tensor(name), shape: [100_000] }])] as const);
    const { weights } = await read({ 'config.json': '{}', ...Object.fromEntries(files) });
    expect(weights.map(({ path }) => path)).toEqual(names);
    expect(weights.map(({ header }) => header.tensors[0]?.name)).toEqual(names);
    expect(reads.sort()).toEqual(names.map((name) => `${name} 0-65536`));
  });

  test('has a header of any length read whole, and no more', async () => {
    const tensors = Array.from({ length: 2000 }, (_, index) => tensor(`layers.${String(index)}.weight`));
    const { weights } = await read({ 'config.json': '{}', 'model.safetensors': weightsWith(tensors) });
    const { headerByteLength = NaN, tensors: found = [] } = weights[0]?.header ?? {};
    expect(found).toHaveLength(2000);
    expect(reads).toEqual(['model.safetensors 0-65536', `model.safetensors 0-${String(headerByteLength)}`]);
  });

  test('may have a config of 100 levels', async () => {
    const config = `{"x": ${nested(99)}}`;
    expect(await read({ 'config.json': config, 'm.safetensors': one })).toHaveProperty('config.x');
    const deeper = { 'config.json': `{"x": ${nested(100)}}`, 'm.safetensors': one };
    expect(await lateRefusal(read(deeper))).toMatchObject({ reason: 'config' });
  });

  test('with an index is what the index names', async () => {
    const weightMap = { a: 'x.safetensors', b: 'x.safetensors', c: 'y.safetensors' };
    const files = { 'x.safetensors': one, 'y.safetensors': two, 'z.safetensors': one };
    const { weights } = await read({ 'config.json': '{}', [INDEX]: indexOf(weightMap), ...files });
    expect(weights.map(({ path }) => path)).toEqual(['x.safetensors', 'y.safetensors']);
  });
});

describe('a checkpoint is refused', () => {
  test.each([
    ['without config.json', { 'model.safetensors': one }, 'config', /There is no config\.json/],
    ['without weights', { 'config.json': '{}' }, 'weights-format', /no weights in the format safetensors/],
    ['with weights in another format', { 'config.json': '{}', 'a.bin': 'x' }, 'weights-format', /safetensors/],
    [
      'with weights below the top only',
      { 'config.json': '{}', 'a/m.safetensors': one },
      'weights-format',
      /at the top/,
    ],
    ['whose config is no JSON', { 'config.json': '{', 'm.safetensors': one }, 'config', /config\.json is no JSON/],
    ['whose config is empty', { 'config.json': '', 'm.safetensors': one }, 'config', /no JSON/],
    [
      'whose config is no UTF-8',
      { 'config.json': Buffer.from('{"a":"\xff"}', 'latin1'), 'm.safetensors': one },
      'config',
      /no JSON/,
    ],
    ['whose config is a list', { 'config.json': '[]', 'm.safetensors': one }, 'config', /no JSON object/],
    ['whose config is null', { 'config.json': 'null', 'm.safetensors': one }, 'config', /no JSON object/],
    [
      'whose config is nested without an end in sight',
      { 'config.json': `{"x": ${nested(20_000)}}`, 'm.safetensors': one },
      'config',
      /config\.json is nested deeper than 100 levels/,
    ],
    [
      'whose index is no JSON',
      { 'config.json': '{}', [INDEX]: '{', 'm.safetensors': one },
      'config',
      /index\.json is no/,
    ],
    [
      'whose index names files that are not there',
      { 'config.json': '{}', [INDEX]: indexOf({ a: 'm.safetensors', z: 'gone.safetensors' }), 'm.safetensors': one },
      'missing-tensors',
      /not there: gone\.safetensors/,
    ],
    [
      'whose index puts a tensor into another file',
      { 'config.json': '{}', [INDEX]: indexOf({ a: 'm.safetensors', c: 'm.safetensors' }), 'm.safetensors': one },
      'missing-tensors',
      /1 tensors into files that do not hold them: c/,
    ],
  ] as const)('%s', async (_what, files, reason, text) => {
    const { code, reason: found, message } = await lateRefusal(read(files));
    expect({ code, reason: found }).toEqual({ code: 'UnsupportedSharding', reason });
    expect(message).toMatch(text);
    expect(reads.every((range) => range.startsWith('m.safetensors'))).toBe(true);
  });

  test('whose config is larger than any, before it is read', async () => {
    const place = await placeOf(store, { 'config.json': '{}', 'm.safetensors': one });
    const files = place.files.map((file) => (file.path === 'config.json' ? { ...file, size: 64 * MiB + 1 } : file));
    expect(await lateRefusal(readCheckpoint({ ...place, files }, live()))).toMatchObject({ reason: 'config' });
  });

  test.each([
    ['no object', '[]'],
    ['no map', '{}'],
    ['a map to something else', indexOf({ a: 7 })],
  ])('whose index is %s', async (_what, index) => {
    const files = { 'config.json': '{}', [INDEX]: index, 'm.safetensors': one };
    expect(await lateRefusal(read(files))).toMatchObject({ code: 'InvalidSafetensors', reason: 'index' });
  });

  test('whose index leads out of it', async () => {
    const files = { 'config.json': '{}', [INDEX]: indexOf({ a: '../m.safetensors' }), 'm.safetensors': one };
    expect(await lateRefusal(read(files))).toMatchObject({ code: 'UnsafePath' });
  });
});

describe('a header that is none', () => {
  test.each([
    ['is of an empty file', Buffer.alloc(0), 'file-size'],
    ['is shorter than its length', Buffer.alloc(7), 'file-size'],
    ['ends after the file', rawWeights(100, '{}'), 'header-beyond-file'],
    ['has a length beyond all', rawWeights(2n ** 63n, '{}'), 'header-too-large'],
    ['has a length of zero', rawWeights(0, '{}'), 'header-too-small'],
    ['is no JSON', rawWeights(4, '{"a"'), 'json'],
    ['holds a tensor twice', headerOf('{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}}'), 'duplicate-key'],
    ['lacks fields', headerOf('{"a":{"dtype":"U8"}}'), 'tensor-fields'],
    [
      'promises more than there is',
      rawWeights(54, '{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}  ', 'xy'),
      'truncated',
    ],
    [
      'leaves bytes over',
      rawWeights(54, '{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}  ', 'xyxyx'),
      'trailing-bytes',
    ],
  ])('%s: refused with the name of its file', async (_what, bytes, reason) => {
    const files = { 'config.json': '{}', 'good.safetensors': one, 'm.safetensors': bytes };
    const { code, reason: found, details, message } = await lateRefusal(read(files));
    expect({ code, found, path: details['path'] }).toEqual({
      code: 'InvalidSafetensors',
      found: reason,
      path: 'm.safetensors',
    });
    expect(message).toMatch(/^InvalidSafetensors: m\.safetensors: (?!InvalidSafetensors)/);
  });
});

/** A header of just these bytes that holds no tensor. */
const emptyHeader = (bytes: number) => headerOf(`{}${' '.repeat(bytes - 2)}`);
const numbered = (count: number, bytes: Buffer) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`m-${String(index)}.safetensors`, bytes]));

describe('headers that are larger than those of any model are left to engine vllm', () => {
  test('when one has more than 32 MiB, before it is read', async () => {
    const files = { 'config.json': '{}', 'm.safetensors': emptyHeader(32 * MiB + 1) };
    expect(await lateRefusal(read(files))).toMatchObject({
      code: 'UnsupportedSharding',
      reason: 'header-too-large',
      details: { path: 'm.safetensors' },
    });
    expect(reads).toEqual(['m.safetensors 0-65536']);
  });

  test('when they have more than 128 MiB together', async () => {
    const { code, reason, message } = await lateRefusal(
      read({ 'config.json': '{}', ...numbered(5, emptyHeader(30 * MiB)) })
    );
    expect({ code, reason }).toEqual({ code: 'UnsupportedSharding', reason: 'header-too-large' });
    expect(message).toMatch(/With m-\d\.safetensors .* more than 134217728 bytes of headers/);
  });

  test('when they have more than a million tensors together', async () => {
    const tensors = Array.from(
      { length: 500_001 },
      (_, index) => `"${index.toString(36)}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`
    );
    const { code, reason, message } = await lateRefusal(
      read({ 'config.json': '{}', ...numbered(2, headerOf(`{${tensors.join(',')}}`)) })
    );
    expect({ code, reason }).toEqual({ code: 'UnsupportedSharding', reason: 'header-too-large' });
    expect(message).toMatch(/With m-\d\.safetensors .* more than 1000000 tensors/);
  });
});

test('a store that fails is no fault of the checkpoint', async () => {
  const place = await placeOf(store, { 'config.json': '{}', 'm.safetensors': one });
  store.faults.intercept = (_request, response) => {
    response.writeHead(503).end();
    return true;
  };
  expect(await failure(readCheckpoint(place, live()))).toMatchObject({ code: 'StoreUnavailable' });
  store.objects.delete(`${DIR}config.json`);
  expect(await failure(readCheckpoint(place, live()))).toMatchObject({ code: 'ObjectChanged' });
});
