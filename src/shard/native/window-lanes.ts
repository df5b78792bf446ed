import { requireAt } from '../../core/require-at.js';
import type { PartDescription } from '../../storage/object-store.js';
import type { TaskGroup } from '../../tasks/task-group.js';
import { limitSlabs, type LimitedSlabs } from '../../transfer/budget/limit-slabs.js';
import type { Slab, SlabPool } from '../../transfer/budget/slab-pool.js';
import { planParts } from '../../transfer/upload/part-plan.js';
import type { PartSink } from '../../transfer/upload/part-sink.js';
import type { ShardPart } from '../rank-layout.js';
import { fillWindow, type WindowFill } from './fill-window.js';
import type { PartMemory } from './part-memory.js';

/** Where the upload parts of a rank's file go. */
export interface RankSink {
  readonly rank: number;
  readonly sink: PartSink;
}

interface Lanes {
  readonly pool: Pick<SlabPool, 'takeSlabs'>;
  readonly part: ShardPart;
  /** Of the ranks that are filled together. */
  readonly sinks: readonly RankSink[];
  readonly memory: PartMemory;
  readonly fill: WindowFill;
  readonly group: TaskGroup;
}

/** Fills windows side by side and hands each rank's share of them to its upload; the lanes run in the group. */
export function startLanes({ pool, part, sinks, memory, fill, group }: Lanes): void {
  const work: WindowWork = {
    part,
    ranks: sinks.length,
    windows: missingWindows(planParts(part.size, memory.partSize), sinks),
    slabs: limitSlabs(pool, memory.ranksAtOnce * memory.windowsAtOnce),
    slabBytes: Math.min(memory.partSize, part.size),
    fill,
    group,
  };
  for (let lane = 0; lane < memory.windowsAtOnce; lane++) group.run(() => fillWindows(work));
}

interface WindowWork extends Pick<Lanes, 'part' | 'fill' | 'group'> {
  /** How many are filled together, and so the slabs of a window. */
  readonly ranks: number;
  /** Windows that no lane has taken yet, in file order. */
  readonly windows: MissingWindow[];
  readonly slabs: LimitedSlabs;
  readonly slabBytes: number;
}

interface MissingWindow {
  readonly description: PartDescription;
  readonly wanted: readonly RankSink[];
}

/** Windows that any rank lacks, each with those ranks. */
function missingWindows(parts: readonly PartDescription[], sinks: readonly RankSink[]): MissingWindow[] {
  const missing = sinks.map((each) => ({
    each,
    numbers: new Set(each.sink.missing.map(({ partNumber }) => partNumber)),
  }));
  return parts.flatMap((description) => {
    const wanted = missing.filter(({ numbers }) => numbers.has(description.partNumber)).map(({ each }) => each);
    return wanted.length === 0 ? [] : [{ description, wanted }];
  });
}

/** A lane takes memory first and a window second, so that the first window always has its memory and hashing moves on. */
async function fillWindows(work: WindowWork): Promise<void> {
  const { ranks, windows, slabBytes, group } = work;
  while (windows.length > 0) {
    const slabs = await work.slabs.take(ranks, slabBytes, { signal: group.signal });
    const window = windows.shift();
    const shares = (window?.wanted ?? []).map((each, index) => ({ ...each, slab: requireAt(slabs, index) }));
    // Ranks may hold this window already, and another lane may have taken the last one.
    for (const spare of slabs.slice(shares.length)) spare.release();
    if (window !== undefined) await fillShares(work, window.description, shares);
  }
}

/** A rank with the memory for its share of a window. */
type RankShare = RankSink & { readonly slab: Slab };

async function fillShares(
  { part, fill, group: { signal } }: WindowWork,
  description: PartDescription,
  shares: readonly RankShare[]
): Promise<void> {
  const { position, size } = description;
  const ranks = shares.map(({ rank }) => rank);
  const slabs = shares.map(({ slab }) => slab.bytes);
  try {
    await fillWindow(fill, { part, start: position, end: position + size, ranks }, { slabs, signal });
  } catch (error) {
    for (const { slab } of shares) slab.release();
    throw error;
  }
  for (const { sink, slab } of shares) sink.take(description, slab);
}
