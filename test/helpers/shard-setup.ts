import { createHash } from 'node:crypto';
import { NEWEST_VERIFIED_VLLM } from '../../src/core/vllm-releases.js';
import { parseHeader } from '../../src/safetensors/index.js';
import { checkFrames } from '../../src/shard/native/check-frames.js';
import { checkSource } from '../../src/shard/native/check-source.js';
import type { ByteSource } from '../../src/core/byte-source.js';
import { openObjects } from '../../src/transfer/read/open-objects.js';
import { writePart, type WrittenFile } from '../../src/shard/native/write-part.js';
import { shardFileName } from '../../src/shard/file-names.js';
import { layOutRanks, type ShardingRequest, type RankLayout } from '../../src/shard/rank-layout.js';
import type { WeightsFile } from '../../src/shard/layout/source-tensors.js';
import { createEngine, type TransferEngine } from '../../src/transfer/engine.js';
import { formulaModel, formulaWeights, type FormulaModel } from './formula-models.js';
import { startMemoryStore, type MemoryStore } from './memory-store.js';
import { quickPolicies } from './transfer-setup.js';

export const DEFAULT_PATTERN = 'model-rank-{rank}-part-{part}.safetensors';
export const OUT = 'shards/';

/** A checkpoint in a store, and what shards it. */
export interface ShardSetup {
  readonly model: FormulaModel;
  readonly store: MemoryStore;
  readonly engine: TransferEngine;
  readonly files: readonly (WeightsFile & { readonly key: string })[];
  layout(change: ShardChange): RankLayout;
  sources(): readonly ByteSource[];
  shards(layout: RankLayout): readonly ByteSource[];
  /** Writes all parts under `shards/`. */
  write(layout: RankLayout): Promise<WrittenFile[]>;
  /** Checks headers and scalars, and gives the digest of each weights file. */
  check(layout: RankLayout, sha256?: string): Promise<string[]>;
  shard(name: string): Buffer;
  close(): Promise<void>;
}

export type ShardChange = Partial<ShardingRequest> & { readonly ranks: number };

export const live = new AbortController().signal;

/** Puts a formula model into a store in memory; `split` cuts its tensors into several weights files. */
export async function setUpShards(
  name: string,
  { memoryBytes = 1_000_000, partSizeBytes = 65_536, split = 1, multipart = true } = {}
): Promise<ShardSetup> {
  const model = await formulaModel(name);
  const store = await startMemoryStore({ multipart });
  const engine = createEngine({ partSizeBytes, lanes: 4, memoryBytes, policies: quickPolicies });
  const files = splitWeights(formulaWeights(model), split).map((bytes, index) => {
    const key = `source/model-${String(index + 1)}.safetensors`;
    store.objects.set(key, bytes);
    return { key, path: key.slice('source/'.length), size: bytes.length, header: parseHeader(bytes, bytes.length) };
  });
  const setup: ShardSetup = {
    model,
    store,
    engine,
    files,
    layout: (change) =>
      layOutRanks({
        config: model.config,
        files,
        dtype: 'auto',
        vllmVersion: NEWEST_VERIFIED_VLLM,
        maxFileSize: Number.MAX_SAFE_INTEGER,
        filePattern: DEFAULT_PATTERN,
        ...change,
      }),
    sources: () => openObjects(engine.context, store, files).sources,
    shards: (layout) => openObjects(engine.context, store, shardObjects(layout)).sources,
    write: async (layout) => {
      const writing = { context: engine.context, layout, sources: setup.sources(), store, dirKey: OUT, resume: false };
      const written: WrittenFile[] = [];
      for (const part of layout.parts) {
        written.push(...(await writePart(writing, part, { signal: live, onStored: () => undefined })));
      }
      return written;
    },
    check: async (layout, sha256) => {
      const [sources, shards] = [setup.sources(), setup.shards(layout)];
      await checkFrames(layout, shards, { signal: live });
      const digests: string[] = [];
      for (const file of files.keys()) {
        const check = { context: engine.context, layout, file, sha256, sources, shards };
        digests.push(await checkSource(check, { signal: live, onChecked: () => undefined }));
      }
      return digests;
    },
    shard: (file) => store.objects.get(`${OUT}${file}`) ?? Buffer.alloc(0),
    close: () => store.close(),
  };
  return setup;
}

/** The same sources, and how many bytes were read of them. */
export function counted(sources: readonly ByteSource[]): {
  readonly sources: readonly ByteSource[];
  readonly bytesRead: () => number;
} {
  let bytes = 0;
  const count = (source: ByteSource): ByteSource => ({
    ...source,
    read: async (range, into, options) => {
      await source.read(range, into, options);
      bytes += range.end - range.start;
    },
  });
  return { sources: sources.map(count), bytesRead: () => bytes };
}

export function shardObjects(layout: RankLayout): { key: string; size: number }[] {
  return layout.parts.flatMap(({ number: part, size }) =>
    Array.from({ length: layout.ranks }, (_, rank) => ({ key: `${OUT}${shardFileName(layout, rank, part)}`, size }))
  );
}

/** One digest for all files of a run, as the measured ones are kept. */
export function runDigest(files: readonly { readonly path: string; readonly sha256: string }[]): string {
  const lines = files.map(({ path, sha256 }) => ({ path, line: `${sha256}  ${path}` }));
  lines.sort((a, b) => (a.path < b.path ? -1 : 1));
  return createHash('sha256')
    .update(lines.map(({ line }) => line).join('\n'))
    .digest('hex');
}

/** The same tensors in several files, in turn. */
export function splitWeights(bytes: Buffer, count: number): Buffer[] {
  if (count === 1) return [bytes];
  const { headerByteLength, tensors } = parseHeader(bytes, bytes.length);
  return Array.from({ length: count }, (_, file) => {
    const mine = tensors.filter((_tensor, index) => index % count === file);
    let end = 0;
    const entries = mine.map(({ name, dtype, shape, begin, end: last }) => {
      const begins = end;
      end += last - begin;
      return [name, { dtype, shape, data_offsets: [begins, end] }];
    });
    const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(json.length));
    const contents = mine.map(({ begin, end: last }) =>
      bytes.subarray(headerByteLength + begin, headerByteLength + last)
    );
    return Buffer.concat([prefix, json, ...contents]);
  });
}
