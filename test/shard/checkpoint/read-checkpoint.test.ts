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
const indexOf = (weightMap: object) => JSON.stringify({ metadata: {}, weight_map: weightMap });

const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 4976698672\n`;

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

describe('a tensor that several files hold', () => {
  const [x, y] = [weightsWith([tensor('a'), tensor('b')]), weightsWith([tensor('a'), tensor('c')])];
  const files = { 'config.json': '{}', 'x.safetensors': x, 'y.safetensors': y };
  const held = async (index: string) => {
    const { weights, overlaid } = await read({ ...files, [INDEX]: index });
    expect(overlaid).toBe(true);
    return Object.fromEntries(weights.map(({ path, header }) => [path, header.tensors.map(({ name }) => name)]));
  };

  test('is the one of the file that the index names, whichever comes first', async () => {
    const others = { b: 'x.safetensors', c: 'y.safetensors' };
    expect(await held(indexOf({ a: 'x.safetensors', ...others }))).toEqual({
      'x.safetensors': ['a', 'b'],
      'y.safetensors': ['c'],
    });
    expect(await held(indexOf({ a: 'y.safetensors', ...others }))).toEqual({
      'x.safetensors': ['b'],
      'y.safetensors': ['a', 'c'],
    });
  });

  test('counts once where the index takes only one of the files', async () => {
    const { weights, overlaid } = await read({
      ...files,
      [INDEX]: indexOf({ a: 'x.safetensors', b: 'x.safetensors' }),
    });
    expect(weights.map(({ path }) => path)).toEqual(['x.safetensors']);
    expect(overlaid).toBe(false);
  });

  test.each([
    ['there is no index', {}, /x\.safetensors and y\.safetensors hold a tensor a each, and there is no index/],
    [
      'the index names another file for it',
      { [INDEX]: indexOf({ a: 'z.safetensors', b: 'x.safetensors', c: 'y.safetensors' }), 'z.safetensors': two },
      /puts it into none of them/,
    ],
    [
      'the index does not name it',
      { [INDEX]: indexOf({ b: 'x.safetensors', c: 'y.safetensors' }) },
      /puts it into none of them/,
    ],
  ])('is refused where %s', async (_what, more, text) => {
    const { code, reason, message } = await lateRefusal(read({ ...files, ...more }));
    expect({ code, reason }).toEqual({ code: 'InvalidSafetensors', reason: 'duplicate-tensor' });
    expect(message).toMatch(text);
  });
});

describe('an index as vLLM reads it', () => {
  test('may name tensors that no file holds, or put one into another file', async () => {
    const weightMap = { a: 'm.safetensors', gone: 'm.safetensors', c: 'm.safetensors', b: 'n.safetensors' };
    const files = { 'm.safetensors': one, 'n.safetensors': two };
    const { weights, stale } = await read({ 'config.json': '{}', [INDEX]: indexOf(weightMap), ...files });
    expect(weights.map(({ header }) => header.tensors.map(({ name }) => name))).toEqual([['a', 'b'], ['c']]);
    expect([...stale]).toEqual(['gone']);
  });

  test.each(['{"total_size": 1.5}', '{"total_size": "7"}', '{"total_size": -1}', '{"total_size": NaN}', '[]', 'null'])(
    'may have %s as metadata',
    async (metadata) => {
      const index = `{"metadata": ${metadata}, "weight_map": {"a": "m.safetensors"}}`;
      const { weights } = await read({ 'config.json': '{}', [INDEX]: index, 'm.safetensors': one });
      expect(weights).toHaveLength(1);
    }
  );
});

describe('a checkpoint that is not whole', () => {
  const [CONFIG, FILE] = ['config.json', 'm.safetensors'] as const;

  test.each([
    './m.safetensors',
    String.raw`x\y.safetensors`,
    '/m.safetensors',
    '../m.safetensors',
    '',
    'a\u0000b',
    '\ud800',
  ])('is one whose index names a file that no repo could list: %j', async (file) => {
    const index = indexOf({ a: FILE, b: file });
    const refusal = await lateRefusal(read({ [CONFIG]: '{}', [FILE]: one, [INDEX]: index }));
    expect(refusal).toMatchObject({ code: 'IncompleteCheckpoint', reason: 'missing-files' });
    expect(refusal.message).toContain(`${INDEX} names weights files that are not there: ${JSON.stringify(file)}`);
    expect(refusal.message).not.toMatch(/repo lists/);
  });

  test.each<[string, Record<string, string | Uint8Array>, string, RegExp]>([
    [
      'the index names a file that is not there',
      { [CONFIG]: '{}', [INDEX]: indexOf({ a: FILE, z: 'gone.safetensors' }), [FILE]: one },
      'missing-files',
      /names weights files that are not there: gone\.safetensors/,
    ],
    [
      'the index names a file below the top',
      { [CONFIG]: '{}', [INDEX]: indexOf({ a: FILE, z: 'sub/n.safetensors' }), [FILE]: one, 'sub/n.safetensors': two },
      'missing-files',
      /not there: sub\/n\.safetensors/,
    ],
    [
      'the index names no file',
      { [CONFIG]: '{}', [INDEX]: indexOf({}), [FILE]: one },
      'no-weights',
      /names no weights/,
    ],
    [
      'a number is missing',
      { [CONFIG]: '{}', 'm-00001-of-00003.safetensors': one, 'm-00003-of-00003.safetensors': two },
      'missing-files',
      /Only 2 of 3 numbered weights files are there, and no index: m-2-of-3/,
    ],
    ['there are no weights', { [CONFIG]: '{}', 'README.md': 'x' }, 'no-weights', /no weights/],
    [
      "a file of Mistral's own index is missing",
      {
        [CONFIG]: '{}',
        'consolidated.safetensors.index.json': indexOf({
          a: 'consolidated-1.safetensors',
          b: 'consolidated-2.safetensors',
        }),
        'consolidated-1.safetensors': one,
      },
      'missing-files',
      /consolidated\.safetensors\.index\.json names .*: consolidated-2/,
    ],
  ])('is refused for good, whatever its config: %s', async (_what, files, reason, text) => {
    // A config that native does not know, and could not read either.
    for (const config of ['{}', `{"x": ${nested(200)}}`]) {
      store.objects.clear();
      const { code, reason: found, message } = await lateRefusal(read({ ...files, [CONFIG]: config }));
      expect({ code, reason: found }).toEqual({ code: 'IncompleteCheckpoint', reason });
      expect(message).toMatch(text);
    }
  });

  test('is told from one whose numbers start at 0, or have other numbers of digits', async () => {
    const files = { 'm-00000-of-00002.safetensors': one, 'm-1-of-000002.safetensors': two };
    expect((await read({ 'config.json': '{}', ...files })).weights).toHaveLength(2);
  });
});

describe('a checkpoint is refused', () => {
  test.each([
    ['without config.json', { 'model.safetensors': one }, 'config', /There is no config\.json/],
    ['with weights in another format', { 'config.json': '{}', 'a.bin': 'x' }, 'weights-format', /safetensors/],
    [
      'with weights below the top only',
      { 'config.json': '{}', 'a/m.safetensors': one },
      'weights-format',
      /at the top/,
    ],
    ['whose config is no JSON', { 'config.json': '{', 'm.safetensors': one }, 'config', /config\.json is no JSON/],
    [
      'whose config starts with a byte order mark, as Python refuses it',
      { 'config.json': '\ufeff{}', 'm.safetensors': one },
      'config',
      /byte order mark/,
    ],
    [
      'whose config is a Git LFS pointer',
      { 'config.json': POINTER, 'm.safetensors': one },
      'config',
      /config\.json is a Git LFS pointer/,
    ],
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
  ] as const)('%s', async (_what, files, reason, text) => {
    const { code, reason: found, message } = await lateRefusal(read(files));
    expect({ code, reason: found }).toEqual({ code: 'UnsupportedSharding', reason });
    expect(message).toMatch(text);
    expect(reads.every((range) => range.startsWith('m.safetensors'))).toBe(true);
  });

  test("whose weights are in Mistral's own layout, once they are found to be sound", async () => {
    const files = { 'config.json': '{}', 'consolidated.safetensors': one };
    expect(await lateRefusal(read(files))).toMatchObject({ code: 'UnsupportedSharding', reason: 'weights-format' });
    const cut = { ...files, 'consolidated.safetensors': one.subarray(0, -1) };
    expect(await lateRefusal(read(cut))).toMatchObject({ code: 'InvalidSafetensors', reason: 'truncated' });
  });

  test.each([
    ["by native alone where vLLM takes Mistral's layout", { 'params.json': '{}' }, 'UnsupportedSharding'],
    ['for good where nothing says that vLLM takes it', {}, 'IncompleteCheckpoint'],
  ])('whose other layout is not whole: %s', async (_what, more, code) => {
    const files = { 'config.json': '{}', 'consolidated.safetensors': one, 'model-00001-of-00002.safetensors': two };
    expect(await lateRefusal(read({ ...files, ...more }))).toMatchObject({ code });
  });

  test('whose config is larger than any, before it is read', async () => {
    const place = await placeOf(store, { 'config.json': '{}', 'm.safetensors': one });
    const files = place.files.map((file) => (file.path === 'config.json' ? { ...file, size: 64 * MiB + 1 } : file));
    expect(await lateRefusal(readCheckpoint({ ...place, files }, live()))).toMatchObject({ reason: 'config' });
  });

  test.each([
    ['no JSON', '{'],
    ['JSON in another order of words', '\ufeff{}'],
    ['a Git LFS pointer', POINTER],
    ['no object', '[]'],
    ['no map', '{}'],
    ['a list for a map', indexOf([])],
    ['a map to something else', indexOf({ a: 7 })],
  ])('whose index is %s', async (_what, index) => {
    const files = { 'config.json': '{}', [INDEX]: index, 'm.safetensors': one };
    expect(await lateRefusal(read(files))).toMatchObject({ code: 'InvalidSafetensors', reason: 'index' });
  });

  test('whose index leads out of it', async () => {
    const files = { 'config.json': '{}', [INDEX]: indexOf({ a: '../m.safetensors' }), 'm.safetensors': one };
    expect(await lateRefusal(read(files))).toMatchObject({ code: 'IncompleteCheckpoint' });
  });
});

describe('a header that is none', () => {
  test.each([
    ['is a Git LFS pointer', Buffer.from(POINTER), 'lfs-pointer'],
    ['is of an empty file', Buffer.alloc(0), 'file-size'],
    ['is shorter than its length', Buffer.alloc(7), 'file-size'],
    ['ends after the file', rawWeights(100, '{}'), 'header-beyond-file'],
    ['has a length beyond all', rawWeights(2n ** 63n, '{}'), 'header-too-large'],
    ['has a length of zero', rawWeights(0, '{}'), 'header-too-small'],
    ['is no JSON', rawWeights(4, '{"a"'), 'json'],
    ['holds a field twice', headerOf('{"a":{"dtype":"U8","dtype":"U8"}}'), 'duplicate-key'],
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

test.each([
  [
    'a tensor twice',
    '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
  ],
  ['a word of metadata twice', '{"__metadata__":{"a":"1","a":"2"}}'],
  ['a dimension beyond 2^53', '{"a":{"dtype":"U8","shape":[9007199254740993,0],"data_offsets":[0,0]}}'],
])('a header with %s is not verified, for the reference reader takes it', async (_what, header) => {
  const { code, reason, message } = await lateRefusal(read({ 'config.json': '{}', 'm.safetensors': headerOf(header) }));
  expect({ code, reason }).toEqual({ code: 'UnsupportedSharding', reason: 'header' });
  expect(message).toContain('m.safetensors: ');
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
