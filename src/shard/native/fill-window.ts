import type { ByteSource } from '../../core/byte-source.js';
import { requireAt } from '../../core/require-at.js';
import { forEachAtOnce } from '../../tasks/for-each-at-once.js';
import type { RankLayout } from '../rank-layout.js';
import { castInPlace } from './cast.js';
import { scatter } from './scatter.js';
import type { Scratch } from './scratch.js';
import { planWindow, type SourceRead, type Window } from './window-reads.js';

/** What filling the windows of one part shares. */
export interface WindowFill {
  readonly layout: RankLayout;
  readonly sources: readonly ByteSource[];
  readonly scratch: Scratch;
  /** Rows that a window's end cut, until the next window takes them. */
  readonly splitRows: Map<string, Promise<Buffer>>;
}

/** Fills the slabs of a window, one for each of its ranks; every byte of them is written. */
export async function fillWindow(
  fill: WindowFill,
  window: Window,
  { slabs, signal }: { readonly slabs: readonly Uint8Array[]; readonly signal: AbortSignal }
): Promise<void> {
  const { reads, fills, zeros } = planWindow(fill.layout, window, fill.scratch.size);
  for (const { slots, to, bytes } of fills) for (const slot of slots) requireAt(slabs, slot).set(bytes, to);
  for (const { slot, to, length } of zeros) requireAt(slabs, slot).fill(0, to, to + length);
  const limit = Math.min(fill.scratch.count, reads.length);
  await forEachAtOnce(reads, { limit, signal }, (read, inner) => doRead(fill, read, { slabs, ...inner }));
}

interface ReadOptions {
  readonly slabs: readonly Uint8Array[];
  readonly signal: AbortSignal;
}

async function doRead(fill: WindowFill, read: SourceRead, options: ReadOptions): Promise<void> {
  const place = placeOf(read, options.slabs);
  if (place !== undefined) {
    await readSource(fill, read, place.bytes, options);
    for (const other of place.others) other.set(place.bytes);
  } else if (read.splitRow !== undefined) {
    scatter(await splitRow(fill, read, { ...options, splitRow: read.splitRow }), read.moves, options.slabs);
  } else {
    await fill.scratch.use(options, async (scratch) => {
      const bytes = scratch.subarray(0, read.end - read.start);
      await readSource(fill, read, bytes, options);
      scatter(cast(read, bytes), read.moves, options.slabs);
    });
  }
}

/** Bytes that go to one place as they are need no detour. */
function placeOf(
  { moves, dtype, target }: SourceRead,
  slabs: readonly Uint8Array[]
): { readonly bytes: Uint8Array; readonly others: readonly Uint8Array[] } | undefined {
  const [move, ...more] = moves;
  if (move?.kind !== 'run' || more.length > 0 || dtype !== target) return undefined;
  const places = move.slots.map((slot) => requireAt(slabs, slot).subarray(move.to, move.to + move.length));
  return { bytes: requireAt(places, 0), others: places.slice(1) };
}

/** The first of the two windows that need a row reads it, and the second takes it over. */
async function splitRow(
  fill: WindowFill,
  read: SourceRead,
  { splitRow: name, signal }: ReadOptions & { readonly splitRow: string }
): Promise<Buffer> {
  const kept = fill.splitRows.get(name);
  if (kept !== undefined) {
    fill.splitRows.delete(name);
    return kept;
  }
  const reading = readRow(fill, read, signal);
  fill.splitRows.set(name, reading);
  // Who waits for it hears of a failure; nobody may.
  reading.catch(() => fill.splitRows.delete(name));
  return reading;
}

async function readRow(fill: WindowFill, read: SourceRead, signal: AbortSignal): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(read.end - read.start);
  await readSource(fill, read, bytes, { signal });
  return cast(read, bytes);
}

function readSource(
  { sources }: WindowFill,
  { file, start, end }: SourceRead,
  into: Uint8Array,
  { signal }: { readonly signal: AbortSignal }
): Promise<void> {
  return requireAt(sources, file).read({ start, end }, into, { signal });
}

function cast({ dtype, target }: SourceRead, bytes: Uint8Array): Buffer {
  const { buffer, byteOffset, length } = castInPlace(bytes, dtype, target);
  return Buffer.from(buffer, byteOffset, length);
}
