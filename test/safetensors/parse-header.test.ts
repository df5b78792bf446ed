import { readFile, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { headerByteLength, parseHeader } from '../../src/safetensors/index.js';
import { realCheckpoint } from '../helpers/real-checkpoint.js';
import { headerOf, oneTensor } from './files.js';

/** Parses a file of that header and as many bytes of data. */
function parse(json: string | Uint8Array, dataByteLength = 4) {
  const bytes = headerOf(json);
  return parseHeader(bytes, bytes.length + dataByteLength);
}

function pair(first: string, second: string): string {
  const u8 = (offsets: string) => {
    const [begin = 0, end = 0] = offsets.split(',').map(Number);
    return `{"dtype":"U8","shape":[${String(end - begin)}],"data_offsets":[${offsets}]}`;
  };
  return `{"a":${u8(first)},"b":${u8(second)}}`;
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

test('a header is read with its metadata, its tensors and where the data starts', () => {
  const json =
    '{"__metadata__":{"format":"pt","2":"b","1":""},"w":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]},' +
    '"s":{"dtype":"F64","shape":[],"data_offsets":[0,8]}}  ';
  expect(parse(json, 20)).toEqual({
    headerByteLength: 8 + json.length,
    dataByteLength: 20,
    metadata: new Map([
      ['format', 'pt'],
      ['2', 'b'],
      ['1', ''],
    ]),
    tensors: [
      { name: 's', dtype: 'F64', shape: [], begin: 0, end: 8 },
      { name: 'w', dtype: 'BF16', shape: [2, 3], begin: 8, end: 20 },
    ],
  });
});

test('a file without metadata has none, and one with empty metadata has that', () => {
  expect(parse('{}', 0)).toMatchObject({ metadata: undefined, tensors: [] });
  expect(parse('{"__metadata__":null}', 0)).toMatchObject({ metadata: undefined, tensors: [] });
  expect(parse('{"__metadata__":{}}', 0)).toMatchObject({ metadata: new Map(), tensors: [] });
});

test.each([
  [
    'white space between everything',
    '{ "a"\n:\t{ "shape" : [ 1 ] ,\r"data_offsets":[ 0 , 4 ], "dtype":"F32" } }\n \t\r',
    4,
  ],
  [
    'a name with escapes',
    String.raw`{"\u0061\n\"\\\/\ud83d\ude00":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`,
    4,
  ],
  ['white space first', ` \n${oneTensor()}`, 4],
  ['a field of a tensor that the format lacks', oneTensor({ more: ',"strides":[1,{"a":null}]' }), 4],
  ['a tensor as a list', '{"a":["F32",[1],[0,4]]}', 4],
  ['names that objects inherit', pair('0,2', '2,4').replace('"a"', '"__proto__"').replace('"b"', '"constructor"'), 4],
  ['an empty tensor in the middle', pair('0,0', '0,4'), 4],
  ['an empty tensor at the end', pair('0,4', '4,4'), 4],
  ['an empty tensor listed after the one that begins where it lies', pair('0,4', '0,0'), 4],
  ['zero before dimensions that overflow', oneTensor({ shape: '[0,9007199254740991,9]', offsets: '[0,0]' }), 0],
  ['two elements of 4 bits', oneTensor({ dtype: '"F4"', shape: '[2]', offsets: '[0,1]' }), 1],
  ['four elements of 6 bits', oneTensor({ dtype: '"F6_E3M2"', shape: '[2,2]', offsets: '[0,3]' }), 3],
])('%s is allowed', (_, json, dataByteLength) => {
  expect(parse(json, dataByteLength).tensors.at(-1)?.end).toBe(dataByteLength);
});

test('escapes in a name are resolved', () => {
  const json = String.raw`{"\u0061\n\"\\\/\ud83d\ude00é":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`;
  expect(parse(json).tensors[0]?.name).toBe('a\n"\\/\u{1f600}é');
});

test.each<[string, string, string | Uint8Array, number?]>([
  ['header-too-small', 'an empty header', '', 0],
  ['header-too-small', 'a header of one byte', '{', 0],
  ['header-start', 'a byte order mark first', `\ufeff${oneTensor()}`],
  ['header-start', 'an array', '[]', 0],
  ['header-utf8', 'a byte that starts no character', latin1('{"\u00ff":{}}')],
  ['header-utf8', 'half a surrogate pair as bytes', latin1('{"\u00ed\u00a0\u0080":{}}')],
  ['header-utf8', 'a character in more bytes than it needs', latin1('{"\u00c0\u0080":{}}')],
  ['json', 'an open object', '{"a":{"dtype":"F32"'],
  ['json', 'an open string', '{"a'],
  ['json', 'a backslash at the end', '{"a\\'],
  ['json', 'a key without quotes', '{a:{}}'],
  ['json', 'a key that is a number', '{1:{}}'],
  ['json', 'no colon', '{"a" {}}'],
  ['json', 'no value', '{"a":}'],
  ['json', 'a comma before the end', '{"__metadata__":{},}'],
  ['json', 'no comma', '{"__metadata__":{} "a":{}}'],
  ['json', 'text after the object', `${oneTensor()}x`],
  ['json', 'a NUL after the object', `${oneTensor()}\u0000`],
  ['json', 'a no-break space between', `{\u00a0"a":{}}`],
  ['json', 'a control character in a string', '{"a\nb":{}}'],
  ['json', 'an unknown escape', String.raw`{"\x":{}}`],
  ['json', 'a short escape', String.raw`{"\u00":{}}`],
  ['json', 'an escape of half a surrogate pair', String.raw`{"\ud800":{}}`],
  ['json', 'a comment', '{/**/}'],
  ['duplicate-key', 'two tensors of one name', `{${oneTensor().slice(1, -1)},${oneTensor().slice(1)}`],
  ['duplicate-key', 'two names that are one when unescaped', `{${oneTensor().slice(1, -1)},"\\u0061":{}}`],
  ['duplicate-key', 'two dtypes', oneTensor({ more: ',"dtype":"F32"' })],
  ['duplicate-key', 'metadata twice', '{"__metadata__":{},"__metadata__":{}}', 0],
  ['duplicate-key', 'one key twice in the metadata', '{"__metadata__":{"a":"1","a":"1"}}', 0],
  ['metadata', 'metadata that is a list', '{"__metadata__":[]}', 0],
  ['metadata', 'metadata that is a tensor', '{"__metadata__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'],
  ['metadata', 'metadata that nests', '{"__metadata__":{"a":{}}}', 0],
  ['metadata', 'a number in the metadata', '{"__metadata__":{"a":1}}', 0],
  ['tensor-fields', 'a tensor that is null', '{"a":null}', 0],
  ['tensor-fields', 'no dtype', '{"a":{"shape":[1],"data_offsets":[0,4]}}'],
  ['tensor-fields', 'no shape', '{"a":{"dtype":"F32","data_offsets":[0,4]}}'],
  ['tensor-fields', 'no data_offsets', '{"a":{"dtype":"F32","shape":[1]}}'],
  ['dtype', 'an unknown dtype', oneTensor({ dtype: '"F128"' })],
  ['dtype', 'a dtype in small letters', oneTensor({ dtype: '"f32"' })],
  ['dtype', 'a dtype that objects inherit', oneTensor({ dtype: '"toString"' })],
  ['dtype', 'a dtype that is a number', oneTensor({ dtype: '32' })],
  ['shape', 'a shape that is a number', oneTensor({ shape: '1' })],
  ['shape', 'a negative dimension', oneTensor({ shape: '[-1]' })],
  ['shape', 'minus zero', oneTensor({ shape: '[-0]' })],
  ['shape', 'a fraction', oneTensor({ shape: '[1.0]' })],
  ['shape', 'an exponent', oneTensor({ shape: '[1e0]' })],
  ['shape', 'a leading zero', oneTensor({ shape: '[01]' })],
  ['shape', 'a dimension of 2^53', oneTensor({ shape: '[9007199254740992]' })],
  ['shape', 'a dimension of many digits', oneTensor({ shape: `[${'9'.repeat(1000)}]` })],
  ['shape', 'a dimension that is text', oneTensor({ shape: '["1"]' })],
  ['shape', 'a nested shape', oneTensor({ shape: '[[1]]' })],
  ['shape-overflow', 'dimensions whose product overflows', oneTensor({ shape: '[4294967296,4294967296]' })],
  ['shape-overflow', 'a product that wraps to the right size', oneTensor({ shape: '[4294967296,4294967296,1]' })],
  ['shape-overflow', 'an overflow before a zero', oneTensor({ shape: '[9007199254740991,9,0]', offsets: '[0,0]' })],
  ['shape-overflow', 'elements whose bits overflow', oneTensor({ shape: '[9007199254740991]' })],
  ['data-offsets', 'one offset', oneTensor({ offsets: '[4]' })],
  ['data-offsets', 'three offsets', oneTensor({ offsets: '[0,4,4]' })],
  ['data-offsets', 'offsets backwards', oneTensor({ offsets: '[4,0]' })],
  ['data-offsets', 'a negative offset', oneTensor({ offsets: '[-4,0]' })],
  ['data-offsets', 'an offset of 2^53', oneTensor({ offsets: '[0,9007199254740992]' })],
  ['data-offsets', 'a fraction in an offset', oneTensor({ offsets: '[0,4.0]' })],
  ['data-offsets', 'offsets that are an object', oneTensor({ offsets: '{}' })],
  ['partial-byte', 'one element of 4 bits', oneTensor({ dtype: '"F4"', offsets: '[0,1]' }), 1],
  ['partial-byte', 'three elements of 6 bits', oneTensor({ dtype: '"F6_E2M3"', shape: '[3]', offsets: '[0,3]' }), 3],
  ['size-mismatch', 'fewer bytes than the shape takes', oneTensor({ shape: '[2]' })],
  ['size-mismatch', 'more bytes than the shape takes', oneTensor({ dtype: '"F16"' })],
  ['size-mismatch', 'bytes for an empty tensor', oneTensor({ shape: '[0]' })],
  ['hole', 'a hole before the first tensor', oneTensor({ offsets: '[1,5]' }), 5],
  ['hole', 'a hole between tensors', pair('0,4', '5,9'), 9],
  ['hole', 'an empty tensor beyond the data', pair('0,4', '9,9')],
  ['overlap', 'tensors that overlap', pair('0,4', '3,7'), 7],
  ['overlap', 'two tensors at one place', pair('0,4', '0,4')],
  ['overlap', 'a tensor within a tensor', pair('0,8', '2,4'), 8],
  ['truncated', 'a file that ends early', oneTensor(), 3],
  ['truncated', 'a file without its data', oneTensor(), 0],
  ['trailing-bytes', 'a file that goes on', oneTensor(), 5],
  ['trailing-bytes', 'data without a tensor', '{}', 1],
])('%s: refuses %s', (reason, _, json, dataByteLength = 4) => {
  expect(() => parse(json, dataByteLength)).toThrow(
    expect.objectContaining({ code: 'InvalidSafetensors', permanent: true, details: { reason } })
  );
});

/** "version " as a length. */
const pointerStart = 0x206e_6f69_7372_6576n;

test.each([
  ['header-too-large', 'one byte over the limit', 100_000_001n, 1e12],
  ['header-too-large', 'a length of 2^64 - 1', 0xffff_ffff_ffff_ffffn, 1e12],
  ['header-too-large', 'a length that is small in its low half', 0x1_0000_0002n, 1e12],
  ['lfs-pointer', 'what Git LFS leaves in place of a file', pointerStart, 134],
  ['header-too-large', 'the same in a file that no pointer is as long as', pointerStart, 1025],
  ['header-beyond-file', 'one byte more than the file has', 93n, 100],
  ['header-incomplete', 'less than the header at hand', 92n, 100],
  ['file-size', 'a file of 7 bytes', 2n, 7],
  ['file-size', 'a file size that is no number', 2n, NaN],
])('%s: refuses %s', (reason, _, declaredLength, fileSize) => {
  expect(() => parseHeader(headerOf('{}', declaredLength), fileSize)).toThrow(
    expect.objectContaining({ code: 'InvalidSafetensors', details: { reason } })
  );
});

test('the length alone tells how much to read', () => {
  expect(headerByteLength(headerOf('', 2n), 10)).toBe(10);
  expect(headerByteLength(headerOf('', 100_000_000n), 1e12)).toBe(100_000_008);
  expect(() => headerByteLength(new Uint8Array(7), 100)).toThrow('first 8 bytes, got 7');
});

test('bytes after the header are not looked at, and a view into a larger buffer is read at its place', () => {
  const file = headerOf(oneTensor());
  const larger = new Uint8Array(file.length + 100).fill(0xff);
  larger.set(file, 50);
  expect(parseHeader(larger.subarray(50), file.length + 4).tensors).toHaveLength(1);
});

test.each([
  ['a name', '{"a":', '[', ''],
  ['an object', '', '{"a":', ''],
  ['a dtype', '{"a":{"dtype":', '[', ''],
  ['a shape', '{"a":{"dtype":"F32","shape":', '[', ''],
  ['metadata', '{"__metadata__":', '{"a":', ''],
  ['a field that is ignored', '{"a":{"x":', '[', ''],
  ['objects in a field that is ignored', '{"a":{"x":', '{"a":', ''],
])('millions of brackets inside %s are refused without a deep stack', (_, start, nested, end) => {
  expect(() => parse(start + nested.repeat(2_000_000) + end)).toThrow(
    expect.objectContaining({ code: 'InvalidSafetensors' })
  );
});

test('a message quotes no more than the start of a hostile name, and no control character of it', () => {
  const name = `\u001b[31m${'x'.repeat(100_000)}`;
  let message = '';
  try {
    parse(`{${JSON.stringify(name)}:null}`);
  } catch (error) {
    message = String(error);
  }
  expect(message).toContain('InvalidSafetensors: Tensor ');
  expect(message).not.toContain('\u001b');
  expect(message.length).toBeLessThan(400);
});

test('a real checkpoint is read from its first bytes', async () => {
  const checkpoint = await realCheckpoint();
  if (checkpoint === undefined) return;
  const path = join(checkpoint.folder, checkpoint.files[0] ?? '');
  const { size } = await stat(path);
  const file = await open(path);
  try {
    const { buffer: prefix } = await file.read(new Uint8Array(8), 0, 8, 0);
    const length = headerByteLength(prefix, size);
    const { buffer: bytes } = await file.read(new Uint8Array(length), 0, length, 0);
    const header = parseHeader(bytes, size);
    expect(header.headerByteLength + header.dataByteLength).toBe(size);
    expect(header.tensors.length).toBeGreaterThan(0);
    expect(length).toBeLessThan(100_000);
    expect(parseHeader(await readFile(path), size)).toEqual(header);
  } finally {
    await file.close();
  }
});
