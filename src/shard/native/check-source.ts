import type { ByteSource } from '../../core/byte-source.js';
import { PrefetchError } from '../../core/errors.js';
import { requireAt } from '../../core/require-at.js';
import { runGroup } from '../../tasks/task-group.js';
import type { TransferContext } from '../../transfer/transfer-context.js';
import { shardFileName } from '../file-names.js';
import type { RankLayout } from '../rank-layout.js';
import { castInPlace } from './cast.js';
import { hashBlocks } from './hash-blocks.js';
import { findLocations, type AllLocations } from './shard-locations.js';
import type { HeldTensor, RankShare, SourceBlock } from './source-blocks.js';

/** A weights file that the ranks have to give back. */
export interface SourceCheck {
  readonly context: Pick<TransferContext, 'memory' | 'lanes'>;
  readonly layout: RankLayout;
  /** Position in the layout's list of files. */
  readonly file: number;
  /** What the Hub says the file comes to, where that is known. */
  readonly sha256: string | undefined;
  readonly sources: readonly ByteSource[];
  /** The files of all ranks: part after part, and rank after rank in each. */
  readonly shards: readonly ByteSource[];
}

/** How a check is ended and watched. */
export interface CheckOptions {
  readonly signal: AbortSignal;
  /** Bytes of the weights file that were given back. */
  readonly onChecked: (bytes: number) => void;
}

/**
 * Puts a weights file together again from the files of all ranks as the store has them now, and compares it: by the
 * Hub's own digest, where no element was cast, else with the source itself after the cast. Replicas and padding are
 * looked at too. Fails as `ShardMismatch`.
 * @returns the SHA-256 of the weights file
 */
export async function checkSource(given: SourceCheck, options: CheckOptions): Promise<string> {
  const check = { ...given, places: findLocations(given.layout) };
  const { sha256 } = check;
  if (sha256 === undefined || isCast(check)) return compareWithSource(check, options);
  const got = await digestOfShards(check, options);
  if (got !== sha256) throw await explain(check, { ...options, got, expected: sha256 });
  return sha256;
}

type Check = SourceCheck & { readonly places: AllLocations };

function isCast({ layout, places, file }: Check): boolean {
  const { tensors } = requireAt(layout.files, file).header;
  return tensors.some(({ name, dtype }) => places.get(name)?.some(({ target }) => target !== dtype) === true);
}

/** The digest says only that something is wrong; the source says what. */
async function explain(
  check: Check,
  { got, expected, signal }: CheckOptions & { readonly got: string; readonly expected: string }
): Promise<unknown> {
  try {
    await compareWithSource(check, { signal, onChecked: () => undefined });
  } catch (error) {
    return error;
  }
  return sourceChanged(check, { got, expected });
}

function digestOfShards(check: Check, options: CheckOptions): Promise<string> {
  return hashBlocks(check, options, {
    blocksPerSlab: 1,
    layOut: ([assembled, shares]) => ({ assembled, shares }),
    work: async ({ block, number, lane, ordered, signal }) => {
      const bytes = lane.assembled.subarray(0, block.length);
      if (block.tensor === undefined) await readOriginal(check, block, bytes, signal);
      else await assemble(check, block, { ...lane, signal });
      await ordered.add(number, bytes);
    },
  });
}

async function compareWithSource(check: Check, options: CheckOptions): Promise<string> {
  const { sha256 } = check;
  const got = await hashBlocks(check, options, {
    // The source itself may be twice as wide as what became of it.
    blocksPerSlab: 2,
    layOut: ([original, rest], blockBytes) => ({
      original,
      assembled: rest.subarray(0, blockBytes),
      shares: rest.subarray(blockBytes),
    }),
    work: async ({ block, number, lane, ordered, signal }) => {
      const { tensor } = block;
      const original = lane.original.subarray(0, block.end - block.start);
      await readOriginal(check, block, original, signal);
      await ordered.add(number, original);
      if (tensor === undefined) return;
      await assemble(check, block, { ...lane, signal });
      const cast = castInPlace(original, tensor.dtype, tensor.target);
      if (!isEqual(cast, lane.assembled.subarray(0, block.length))) throw mismatch(check, tensor, block);
    },
  });
  if (sha256 !== undefined && got !== sha256) throw sourceChanged(check, { got, expected: sha256 });
  return got;
}

function sourceChanged(
  { layout, file }: Check,
  { got, expected }: { readonly got: string; readonly expected: string }
): PrefetchError {
  const { path } = requireAt(layout.files, file);
  return new PrefetchError(
    'ObjectChanged',
    `${path} is not what its Dir's manifest says: its bytes come to sha256:${got}, expected sha256:${expected}`,
    { details: { path, expected, got } }
  );
}

interface Assembling {
  /** What the ranks give back. */
  readonly assembled: Buffer;
  /** Shares on their way to it, and replicas. */
  readonly shares: Buffer;
  readonly signal: AbortSignal;
}

/** Reads every rank's share of a block and puts them in their places; replicas must be equal, padding must be zero. */
async function assemble(check: Check, block: SourceBlock, lane: Assembling): Promise<void> {
  const { assembled, shares, signal } = lane;
  const [first, ...others] = block.shares;
  // One rank's stretch is the whole block, or the whole matrix is one rank's.
  if (first !== undefined && first.end - first.start === block.length) {
    await readShare(check, first, assembled, signal);
    for (const replica of others) {
      await readShare(check, replica, shares, signal);
      if (!isEqual(assembled.subarray(0, block.length), shares.subarray(0, block.length))) {
        // Which of the two is right only the source could tell.
        throw mismatch(check, block.tensor, { shares: [first, replica] });
      }
    }
  } else {
    await assembleColumns(check, block.shares, lane);
  }
  for (const padding of block.zeros) {
    const bytes = shares.subarray(0, padding.end - padding.start);
    await readShare(check, padding, bytes, signal);
    if (bytes.some((byte) => byte !== 0)) throw mismatch(check, block.tensor, { shares: [padding] });
  }
}

async function assembleColumns(
  check: Check,
  ranks: readonly RankShare[],
  { assembled, shares, signal }: Assembling
): Promise<void> {
  await runGroup(signal, (group) => {
    let taken = 0;
    for (const share of ranks) {
      const bytes = shares.subarray(taken, taken + share.end - share.start);
      taken += bytes.length;
      group.run(async () => {
        await readShare(check, share, bytes, group.signal);
        const shareBytes = bytes.length / share.rows;
        for (let row = 0; row < share.rows; row++) {
          bytes.copy(assembled, share.to + row * share.rowBytes, row * shareBytes, (row + 1) * shareBytes);
        }
      });
    }
  });
}

function readOriginal(
  { sources, file }: Check,
  { start, end }: SourceBlock,
  into: Uint8Array,
  signal: AbortSignal
): Promise<void> {
  return requireAt(sources, file).read({ start, end }, into, { signal });
}

function readShare(
  { layout, shards }: Check,
  { part, rank, start, end }: RankShare,
  into: Uint8Array,
  signal: AbortSignal
): Promise<void> {
  return requireAt(shards, part * layout.ranks + rank).read({ start, end }, into, { signal });
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function mismatch(
  { layout }: Check,
  tensor: HeldTensor | undefined,
  { shares }: Pick<SourceBlock, 'shares'>
): PrefetchError {
  const files = shares.map(({ rank, part }) => shardFileName(layout, rank, requireAt(layout.parts, part).number));
  const names = [...new Set(files)].slice(0, 3).join(', ');
  return new PrefetchError(
    'ShardMismatch',
    `The ranks do not give back ${tensor?.name ?? 'the source'}: what ${names} hold${files.length > 1 ? '' : 's'} of it differs. ` +
      'Nothing was published; run it again to write these files anew',
    { details: { tensor: tensor?.name, files: [...new Set(files)].slice(0, 20) } }
  );
}
