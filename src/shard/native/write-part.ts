import type { ByteSource } from '../../core/byte-source.js';
import { requireKey } from '../../core/require-at.js';
import type { ObjectStore } from '../../storage/object-store.js';
import { forEachAtOnce, mapAtOnce } from '../../tasks/for-each-at-once.js';
import { runGroup } from '../../tasks/task-group.js';
import type { TransferContext } from '../../transfer/transfer-context.js';
import { finalise, type FullUpload, type PublishedBytes } from '../../transfer/upload/finalise.js';
import { createPartSink, type StreamedParts } from '../../transfer/upload/part-sink.js';
import { startUpload, resumeUpload, type OpenUpload } from '../../transfer/upload/resume-upload.js';
import { shardFileName } from '../file-names.js';
import type { ShardPart, RankLayout } from '../rank-layout.js';
import type { WindowFill } from './fill-window.js';
import { divideMemory, type PartMemory } from './part-memory.js';
import { createScratch } from './scratch.js';
import { startLanes, type RankSink } from './window-lanes.js';

/** Where the parts of a layout are written, and what is read for them. */
export interface PartWriting {
  readonly context: TransferContext;
  readonly layout: RankLayout;
  readonly sources: readonly ByteSource[];
  readonly store: ObjectStore;
  /** Key prefix of the sharded Dir. */
  readonly dirKey: string;
  /** Whether unfinished uploads may be gone on with: only where the same layout left them. */
  readonly resume: boolean;
  /** Files of the part that an attempt before this one finished. */
  readonly finished?: readonly WrittenFile[];
  /** What is published at the moment, where other runs may publish the same Dir. */
  readonly published?: PublishedBytes;
}

/** A file that is in the store. */
export interface WrittenFile {
  /** Under the Dir. */
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  readonly etag: string;
}

/** How writing a part is ended and watched. */
export interface PartOptions {
  readonly signal: AbortSignal;
  readonly onStored: (bytes: number) => void;
  /** Called with all files that are finished, as more of them are and one call at a time; last with all of the part. */
  readonly onFinished?: (files: readonly WrittenFile[]) => Promise<void>;
}

/** Writes one part of every rank, reading each source byte once, and makes the files visible when all bytes are there. */
export async function writePart(writing: PartWriting, part: ShardPart, options: PartOptions): Promise<WrittenFile[]> {
  const { context, layout, store } = writing;
  const { signal } = options;
  const capabilities = await store.capabilities({ signal });
  const memory = divideMemory(
    { budgetBytes: context.memory.budgetBytes, wantedPart: context.partSizeBytes },
    { size: part.size, ranks: layout.ranks },
    capabilities
  );
  // What others began is completed unseen, which needs a store that can tell whether something is in its place.
  const resume = writing.resume && capabilities.conditionalComplete;
  const uploads = await openUploads({ ...writing, resume }, part, { memory, signal });
  const finished = writing.finished ?? [];
  for (const { size } of finished) options.onStored(size);
  for (const upload of uploads) options.onStored(upload.open.held.reduce((sum, { size }) => sum + size, 0));
  const streamed = await streamAll(writing, part, {
    uploads,
    memory,
    partChecksums: capabilities.partChecksums,
    ...options,
  });
  const completions = streamed.map(({ path, open, receipts, hex }) => {
    const full = { store, upload: open.upload, source: { path, size: part.size }, receipts, hex };
    return writing.published === undefined ? full : { ...full, published: writing.published };
  });
  const files = await finaliseAll(context, { completions, finished }, options);
  return Array.from({ length: layout.ranks }, (_, rank) => requireKey(files, shardFileName(layout, rank, part.number)));
}

/** Side by side, for a store may take its time: S3 puts an object together, a disk takes what waits to be written. */
async function finaliseAll(
  { lanes, policies }: TransferContext,
  { completions, finished }: { readonly completions: readonly FullUpload[]; readonly finished: readonly WrittenFile[] },
  { signal, onFinished }: PartOptions
): Promise<ReadonlyMap<string, WrittenFile>> {
  const files = new Map(finished.map((file) => [file.path, file]));
  let noted = Promise.resolve();
  await forEachAtOnce(completions, { limit: lanes, signal }, async (completion, inner) => {
    const { path, size } = completion.source;
    const { info, hex: sha256 } = await finalise(completion, { ...inner, policies });
    files.set(path, { path, size, sha256, etag: info.etag });
    // One note after the other, so that none is replaced by an older one.
    noted = noted.then(() => onFinished?.([...files.values()]));
    await noted;
  });
  return files;
}

interface RankUpload {
  readonly rank: number;
  readonly path: string;
  readonly open: OpenUpload;
}

type StreamedRank = RankUpload & StreamedParts;

function openUploads(
  { layout, store, dirKey, resume, finished = [] }: PartWriting,
  part: ShardPart,
  { memory, signal }: { readonly memory: PartMemory; readonly signal: AbortSignal }
): Promise<RankUpload[]> {
  const there = new Set(finished.map(({ path }) => path));
  const ranks = Array.from({ length: layout.ranks }, (_, rank) => ({
    rank,
    path: shardFileName(layout, rank, part.number),
  }));
  const missing = ranks.filter(({ path }) => !there.has(path));
  return mapAtOnce(missing, { limit: missing.length, signal }, async ({ rank, path }, inner) => {
    const { partSize } = memory;
    // All ranks are filled window by window, so that their parts have one size.
    const accepts = (found: number): boolean => found === partSize;
    const upload = { store, key: `${dirKey}${path}`, size: part.size, partSize, accepts };
    // Only bytes that were all seen may take the place of others.
    const mayTakeUp = resume && (await store.head(upload.key, inner)) === undefined;
    return { rank, path, open: await (mayTakeUp ? resumeUpload : startUpload)(upload, inner) };
  });
}

interface Streaming extends PartOptions {
  readonly uploads: readonly RankUpload[];
  readonly memory: PartMemory;
  readonly partChecksums: boolean;
}

/** One part at a time in this process: two of them could each hold memory that the other one waits for. */
async function streamAll(writing: PartWriting, part: ShardPart, streaming: Streaming): Promise<StreamedRank[]> {
  const { context, layout, sources } = writing;
  const { memory, signal } = streaming;
  const releaseTurn = await context.shardTurn.acquire(1, { signal });
  try {
    const releaseScratch = await context.memory.reserve(memory.scratchCount * memory.readBytes, { signal });
    try {
      const scratch = createScratch(memory.scratchCount, memory.readBytes);
      const fill: WindowFill = { layout, sources, scratch, splitRows: new Map() };
      const streamed: StreamedRank[] = [];
      for (let first = 0; first < streaming.uploads.length; first += memory.ranksAtOnce) {
        const uploads = streaming.uploads.slice(first, first + memory.ranksAtOnce);
        streamed.push(...(await streamRanks(writing, part, { ...streaming, uploads, fill })));
      }
      return streamed;
    } finally {
      releaseScratch();
    }
  } finally {
    releaseTurn();
  }
}

/** Fills windows and hands each rank's share of them to its upload. */
async function streamRanks(
  { context, store }: PartWriting,
  part: ShardPart,
  streaming: Streaming & { readonly fill: WindowFill }
): Promise<StreamedRank[]> {
  const { uploads, memory, partChecksums, fill, signal, onStored } = streaming;
  const streams: (RankUpload & RankSink)[] = [];
  try {
    await runGroup(signal, (group) => {
      for (const upload of uploads) {
        const object = { size: part.size, algorithm: 'sha256' } as const;
        const { open } = upload;
        streams.push({
          ...upload,
          sink: createPartSink({ context, store, open, object, partChecksums, group, onStored }),
        });
      }
      startLanes({ pool: context.memory, part, sinks: streams, memory, fill, group });
    });
    return await Promise.all(streams.map(async ({ sink, ...upload }) => ({ ...upload, ...(await sink.finish()) })));
  } finally {
    for (const { sink } of streams) await sink.close();
  }
}
