import { invalid, quoted, type SafetensorsRule } from './invalid.js';
import { scanJson, type JsonScanner } from './json-scanner.js';
import { isDtype, tensorByteLength, type Dtype, type TensorEntry } from './tensor.js';

/** The one key of a header that names no tensor. */
export const METADATA_KEY = '__metadata__';

/** Reads the JSON of a header: each tensor sound in itself, in the order of the text. */
export function readHeader(json: string): {
  metadata: ReadonlyMap<string, string> | undefined;
  tensors: readonly TensorEntry[];
} {
  const scanner = scanJson(json);
  const tensors: TensorEntry[] = [];
  let metadata: ReadonlyMap<string, string> | undefined;
  scanner.members((key) => {
    if (key === METADATA_KEY) metadata = readMetadata(scanner);
    else tensors.push(readTensor(scanner, key));
  });
  scanner.end();
  return { metadata, tensors };
}

function readMetadata(scanner: JsonScanner): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  const isObject = scanner.members((key) => {
    const value = scanner.string();
    if (value === undefined) throw invalid('metadata', `${METADATA_KEY}: the value of ${quoted(key)} must be a string`);
    metadata.set(key, value);
  });
  if (!isObject) throw invalid('metadata', `${METADATA_KEY} must be an object of strings`);
  return metadata;
}

function readTensor(scanner: JsonScanner, name: string): TensorEntry {
  let dtype: Dtype | undefined;
  let shape: readonly number[] | undefined;
  let offsets: readonly [number, number] | undefined;
  const isObject = scanner.members((field) => {
    if (field === 'dtype') dtype = readDtype(scanner, name);
    else if (field === 'shape') shape = readIntegers(scanner, name, 'shape');
    else if (field === 'data_offsets') offsets = readOffsets(scanner, name);
    else throw invalid('tensor-fields', `Tensor ${quoted(name)} has a field ${quoted(field)}, which the format lacks`);
  });
  if (!isObject || dtype === undefined || shape === undefined || offsets === undefined) {
    throw invalid('tensor-fields', `Tensor ${quoted(name)} must be an object of dtype, shape and data_offsets`);
  }
  const [begin, end] = offsets;
  const tensor = { name, dtype, shape, begin, end };
  const expected = tensorByteLength(tensor);
  if (end - begin === expected) return tensor;
  throw invalid(
    'size-mismatch',
    `Tensor ${quoted(name)}: its dtype and shape come to ${String(expected)} bytes, its data_offsets to ${String(end - begin)}`
  );
}

function readDtype(scanner: JsonScanner, name: string): Dtype {
  const dtype = scanner.string();
  if (dtype !== undefined && isDtype(dtype)) return dtype;
  const got = dtype === undefined ? 'no string' : quoted(dtype);
  throw invalid('dtype', `Tensor ${quoted(name)}: dtype must be one that the format knows, got ${got}`);
}

function readOffsets(scanner: JsonScanner, name: string): readonly [number, number] {
  const [begin, end, ...more] = readIntegers(scanner, name, 'data-offsets');
  if (begin !== undefined && end !== undefined && more.length === 0 && begin <= end) return [begin, end];
  throw invalid('data-offsets', `Tensor ${quoted(name)}: data_offsets must be [begin, end] with begin <= end`);
}

function readIntegers(
  scanner: JsonScanner,
  name: string,
  rule: SafetensorsRule & ('shape' | 'data-offsets')
): number[] {
  const integers: number[] = [];
  const wrong = () =>
    invalid(rule, `Tensor ${quoted(name)}: ${rule.replace('-', '_')} must be an array of integers from 0 to 2^53 - 1`);
  const isArray = scanner.items(() => {
    const integer = scanner.integer();
    if (integer === undefined) throw wrong();
    integers.push(integer);
  });
  if (!isArray) throw wrong();
  return integers;
}
