import type { ByteSource } from '../../core/byte-source.js';
import { requireAt } from '../../core/require-at.js';
import { forEachAtOnce } from '../../tasks/for-each-at-once.js';
import type { ShardPlan } from '../rank-layout.js';
import { castInPlace } from './cast.js';
import { scatter } from './scatter.js';
import type { Scratch } from './scratch.js';
import { planWindow, type SourceRead, type Window } from './window-reads.js';

/** What filling the windows of one part shares. */
export interface Filling {
  readonly plan: ShardPlan;
  readonly sources: readonly ByteSource[];
  readonly scratch: Scratch;
  /** Rows that a window's end cut, until the next window takes them. */
  readonly cutRows: Map<string, Promise<Buffer>>;
}

/** Fills the slabs of a window, one for each of its ranks; every byte of them is written. */
export async function fillWindow(
  filling: Filling,
  window: Window,
  { slabs, signal }: { readonly slabs: readonly Uint8Array[]; readonly signal: AbortSignal }
): Promise<void> {
  const { reads, fills, zeros } = planWindow(filling.plan, window, filling.scratch.size);
  for (const { slots, to, bytes } of fills) for (const slot of slots) requireAt(slabs, slot).set(bytes, to);
  for (const { slot, to, length } of zeros) requireAt(slabs, slot).fill(0, to, to + length);
  const limit = Math.min(filling.scratch.count, reads.length);
  await forEachAtOnce(reads, { limit, signal }, (read, inner) => doRead(filling, read, { slabs, ...inner }));
}

interface ReadOptions {
  readonly slabs: readonly Uint8Array[];
  readonly signal: AbortSignal;
}

async function doRead(filling: Filling, read: SourceRead, options: ReadOptions): Promise<void> {
  const place = placeOf(read, options.slabs);
  if (place !== undefined) {
    await readSource(filling, read, place.bytes, options);
    for (const other of place.others) other.set(place.bytes);
  } else if (read.cutRow !== undefined) {
    scatter(await cutRow(filling, read, { ...options, cutRow: read.cutRow }), read.moves, options.slabs);
  } else {
    await filling.scratch.use(options, async (scratch) => {
      const bytes = scratch.subarray(0, read.end - read.start);
      await readSource(filling, read, bytes, options);
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
async function cutRow(
  filling: Filling,
  read: SourceRead,
  { cutRow: name, signal }: ReadOptions & { readonly cutRow: string }
): Promise<Buffer> {
  const kept = filling.cutRows.get(name);
  if (kept !== undefined) {
    filling.cutRows.delete(name);
    return kept;
  }
  const reading = readRow(filling, read, signal);
  filling.cutRows.set(name, reading);
  // Who waits for it hears of a failure; nobody may.
  reading.catch(() => filling.cutRows.delete(name));
  return reading;
}

async function readRow(filling: Filling, read: SourceRead, signal: AbortSignal): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(read.end - read.start);
  await readSource(filling, read, bytes, { signal });
  return cast(read, bytes);
}

function readSource(
  { sources }: Filling,
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
