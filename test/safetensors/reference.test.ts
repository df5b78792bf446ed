import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isPrefetchError } from '../../src/core/errors.js';
import { parseAsReference, parseHeader, type SafetensorsHeader } from '../../src/safetensors/index.js';

interface Row {
  readonly what: string;
  readonly header?: string;
  readonly hex?: string;
  /** Spaces before the header. */
  readonly spaces?: number;
  /** The length that the file claims, where it is another one. */
  readonly declared?: string;
  readonly data: number;
  readonly verdict: 'read' | 'refused';
  readonly tensors?: readonly (readonly [name: string, dtype: string])[];
}

/** Made by reference_verdicts.py. */
const { rows } = JSON.parse(readFileSync(new URL('fixtures/reference-verdicts.json', import.meta.url), 'utf8')) as {
  readonly rows: readonly Row[];
};

/** What the format forbids and the reference reads, and dimensions that no double holds: parseHeader says so of itself. */
const REFUSED_BY_US = new Map([
  ['one key twice in the metadata', 'duplicate-key'],
  ['two tensors of one name', 'duplicate-key'],
  ['two tensors of one name, escaped', 'duplicate-key'],
  ['two tensors of one name, of which the first fits nothing', 'duplicate-key'],
  ['two tensors of one name, of which the first goes backwards', 'duplicate-key'],
  ['no elements of 2^53 + 1', 'shape'],
  ['no elements of 2^64 - 1', 'shape'],
  ['zero first, and dimensions that overflow', 'shape'],
  ['zero after a product beyond 2^53', 'shape-overflow'],
]);

function fileOf({ header = '', hex, spaces = 0, declared }: Row): Buffer {
  const text = hex === undefined ? Buffer.from(header) : Buffer.from(hex, 'hex');
  const file = Buffer.alloc(8 + spaces + text.length, ' ');
  file.writeBigUInt64LE(declared === undefined ? BigInt(spaces + text.length) : BigInt(declared));
  text.copy(file, 8 + spaces);
  return file;
}

function read(row: Row, parse: typeof parseHeader): { readonly verdict: Row['verdict']; readonly tensors?: unknown } {
  const file = fileOf(row);
  let header: SafetensorsHeader;
  try {
    header = parse(file, file.length + row.data);
  } catch (error) {
    expect(isPrefetchError(error, 'InvalidSafetensors'), String(error)).toBe(true);
    return { verdict: 'refused' };
  }
  const tensors = header.tensors.map(({ name, dtype }) => [name, dtype] as const);
  return { verdict: 'read', tensors: tensors.sort(([a], [b]) => (a < b ? -1 : 1)) };
}

test.each(rows)('$what: $verdict by the reference reader, and so here', (row) => {
  const { verdict, tensors } = row;
  const expected = tensors === undefined ? { verdict } : { verdict, tensors };
  expect(read(row, parseAsReference)).toEqual(expected);
  // Once is enough for a header of 100 MB.
  if (!REFUSED_BY_US.has(row.what) && row.spaces === undefined) expect(read(row, parseHeader)).toEqual(expected);
});

test.each([...REFUSED_BY_US])('%s: refused for %s, where the reference reads it', (what, reason) => {
  const row = rows.find((each) => each.what === what);
  expect(row).toMatchObject({ verdict: 'read' });
  if (row === undefined) return;
  const file = fileOf(row);
  expect(() => parseHeader(file, file.length + row.data)).toThrow(expect.objectContaining({ details: { reason } }));
});
