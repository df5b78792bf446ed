import { invalid, quoted, type SafetensorsRule } from './invalid.js';
import { scanJson, type JsonScanner } from './json-scanner.js';
import { isDtype, tensorByteLength, type Dtype, type TensorEntry } from './tensor.js';

/** The one key of a header that names no tensor. */
export const METADATA_KEY = '__metadata__';

/** What a header may have that the format forbids and its reference reader takes. */
export type Leniency = 'none' | 'as-reference';

interface Reading {
  readonly scanner: JsonScanner;
  readonly leniency: Leniency;
}

/** The reference reader goes 128 levels deep: that many, but for the header and the tensor, are left to a field. */
const MOST_LEVELS = 125;

/** Reads the JSON of a header: each tensor sound in itself, in the order of the text. */
export function readHeader(
  json: string,
  leniency: Leniency
): {
  metadata: ReadonlyMap<string, string> | undefined;
  tensors: readonly TensorEntry[];
} {
  const scanner = scanJson(json);
  const reading = { scanner, leniency };
  // Of equal names the last one counts, where they are let through.
  const tensors = new Map<string, Fields>();
  let metadata: ReadonlyMap<string, string> | undefined;
  scanner.members(
    (key) => {
      if (key === METADATA_KEY) metadata = readMetadata(reading);
      else tensors.set(key, readTensor(scanner, key));
    },
    (key) => leniency === 'none' || key === METADATA_KEY
  );
  scanner.end();
  return { metadata, tensors: [...tensors].map(([name, fields]) => checkTensor(name, fields, leniency)) };
}

function readMetadata({ scanner, leniency }: Reading): ReadonlyMap<string, string> | undefined {
  if (scanner.nothing()) return undefined;
  const metadata = new Map<string, string>();
  const isObject = scanner.members(
    (key) => {
      const value = scanner.string();
      if (value === undefined)
        throw invalid('metadata', `${METADATA_KEY}: the value of ${quoted(key)} must be a string`);
      metadata.set(key, value);
    },
    () => leniency === 'none'
  );
  if (!isObject) throw invalid('metadata', `${METADATA_KEY} must be null or an object of strings`);
  return metadata;
}

interface Fields {
  readonly dtype: Dtype;
  readonly shape: readonly bigint[];
  readonly offsets: readonly [bigint, bigint];
}

type Taken = { -readonly [Field in keyof Fields]?: Fields[Field] };

const FIELDS = ['dtype', 'shape', 'data_offsets'] as const;

/** An object with these fields among others, or a list of just these, in this order: serde reads both. */
function readTensor(scanner: JsonScanner, name: string): Fields {
  const taken: Taken = {};
  const isKnown = (field: string | undefined) => FIELDS.some((known) => known === field);
  let listed = 0;
  const isObject = scanner.members((field) => {
    if (isKnown(field)) readField(scanner, { name, field, taken });
    else scanner.skip(MOST_LEVELS);
  }, isKnown);
  const isList =
    !isObject &&
    scanner.items(() => {
      const field = FIELDS[listed++];
      if (field === undefined) throw wrongFields(name);
      readField(scanner, { name, field, taken });
    });
  const { dtype, shape, offsets } = taken;
  if ((isObject || isList) && dtype !== undefined && shape !== undefined && offsets !== undefined) {
    return { dtype, shape, offsets };
  }
  throw wrongFields(name);
}

/** After all is read, for of two tensors of one name the first need not be sound. */
function checkTensor(name: string, { dtype, shape, offsets }: Fields, leniency: Leniency): TensorEntry {
  const [begin, end] = offsets.map(Number);
  if (begin === undefined || end === undefined || begin > end || !Number.isSafeInteger(end)) throw wrongOffsets(name);
  const tensor = { name, dtype, shape: shape.map(Number), begin, end };
  const expected = leniency === 'as-reference' && isEmpty(name, shape) ? 0 : tensorByteLength(tensor);
  if (end - begin === expected) return tensor;
  throw invalid(
    'size-mismatch',
    `Tensor ${quoted(name)}: its dtype and shape come to ${String(expected)} bytes, its data_offsets to ${String(end - begin)}`
  );
}

function readField(
  scanner: JsonScanner,
  { name, field, taken }: { readonly name: string; readonly field: string; readonly taken: Taken }
): void {
  if (field === 'dtype') taken.dtype = readDtype(scanner, name);
  else if (field === 'shape') taken.shape = readIntegers(scanner, name, 'shape');
  else taken.offsets = readOffsets(scanner, name);
}

function wrongFields(name: string): Error {
  return invalid('tensor-fields', `Tensor ${quoted(name)} must be an object of dtype, shape and data_offsets`);
}

const MAX_ELEMENTS = 2n ** 64n - 1n;

/** Whether a shape has no elements, by integers of 64 bits; only such a one may have dimensions from 2^53 on. */
function isEmpty(name: string, shape: readonly bigint[]): boolean {
  let elements = 1n;
  for (const dimension of shape) {
    elements *= dimension;
    if (elements > MAX_ELEMENTS) throw invalid('shape-overflow', `Tensor ${quoted(name)}: its shape overflows 64 bits`);
  }
  return elements === 0n;
}

/** A name; or, as serde writes a variant of an enum in full, an object of that name and null. */
function readDtype(scanner: JsonScanner, name: string): Dtype {
  let dtype = scanner.string();
  if (dtype === undefined) {
    scanner.members((key) => {
      dtype = dtype === undefined && scanner.nothing() ? key : undefined;
      if (dtype === undefined) throw invalid('dtype', `Tensor ${quoted(name)}: dtype must be a string`);
    });
  }
  if (dtype !== undefined && isDtype(dtype)) return dtype;
  const got = dtype === undefined ? 'no string' : quoted(dtype);
  throw invalid('dtype', `Tensor ${quoted(name)}: dtype must be one that the format knows, got ${got}`);
}

function readOffsets(scanner: JsonScanner, name: string): readonly [bigint, bigint] {
  const [begin, end, ...more] = readIntegers(scanner, name, 'data-offsets');
  if (begin !== undefined && end !== undefined && more.length === 0) return [begin, end];
  throw wrongOffsets(name);
}

function wrongOffsets(name: string): Error {
  return invalid('data-offsets', `Tensor ${quoted(name)}: data_offsets must be [begin, end] with begin <= end`);
}

function readIntegers(
  scanner: JsonScanner,
  name: string,
  rule: SafetensorsRule & ('shape' | 'data-offsets')
): bigint[] {
  const integers: bigint[] = [];
  const wrong = () =>
    invalid(rule, `Tensor ${quoted(name)}: ${rule.replace('-', '_')} must be an array of integers from 0`);
  const isArray = scanner.items(() => {
    const integer = scanner.integer();
    if (integer === undefined) throw wrong();
    integers.push(integer);
  });
  if (!isArray) throw wrong();
  return integers;
}
