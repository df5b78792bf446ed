import { checkFrames } from '../../../src/shard/native/check-frames.js';
import { checkSource } from '../../../src/shard/native/check-source.js';
import type { RankLayout } from '../../../src/shard/rank-layout.js';
import { createEngine, type TransferEngine } from '../../../src/transfer/engine.js';
import { sha256Of } from '../../helpers/test-source.js';
import { live } from '../../helpers/transfer-setup.js';
import { expectedFile, readerOf, type Checkpoint } from './bytes-in-memory.js';

/** Right shards of a checkpoint in memory, and what checks them. */
export interface CheckSetup {
  readonly layout: RankLayout;
  readonly weights: readonly Buffer[];
  /** Part after part, and rank after rank in each, as checks count them. */
  readonly shards: Buffer[];
  readonly engine: TransferEngine;
  readonly readers: { readonly sources: ReturnType<typeof readerOf>; readonly shards: ReturnType<typeof readerOf> };
  /** Checks everything, by the digests of the weights files or by their bytes; gives the digests. */
  check(how: 'digest' | 'comparison'): Promise<string[]>;
}

export function setUpCheck(
  { weights }: Checkpoint,
  layout: RankLayout,
  { memoryBytes = 100_000 }: { memoryBytes?: number } = {}
): CheckSetup {
  const shards = layout.parts.flatMap((part) =>
    Array.from({ length: layout.ranks }, (_, rank) => expectedFile(layout, weights, { part, rank }))
  );
  // As they are published: what happens to them afterwards changes no digest.
  const digests = weights.map((bytes) => sha256Of(bytes).hex);
  const engine = createEngine({ partSizeBytes: 1024, lanes: 4, memoryBytes });
  const readers = { sources: readerOf(weights), shards: readerOf(shards) };
  return {
    layout,
    weights,
    shards,
    engine,
    readers,
    check: async (how) => {
      await checkFrames(layout, readers.shards, live());
      const got: string[] = [];
      for (const [file, digest] of digests.entries()) {
        const sha256 = how === 'digest' ? digest : undefined;
        const check = { context: engine.context, layout, file, sha256, ...readers };
        got.push(await checkSource(check, { ...live(), onChecked: () => undefined }));
      }
      return got;
    },
  };
}
