import { open, stat, type FileHandle } from 'node:fs/promises';
import { PrefetchError } from '../core/errors.js';
import { KiB } from '../core/units.js';
import type { Content } from './content.js';

const CHUNK_BYTES = 1024 * KiB;

/** A file on disk, read by ranges into two buffers: one is filled while the other is sent. */
export async function diskContent(file: string): Promise<Content> {
  const before = await stat(file);
  if (!before.isFile()) throw new PrefetchError('InvalidInput', `${file} is no regular file`);
  const state = ({ size, mtimeMs }: { size: number; mtimeMs: number }) => `${String(size)}:${String(mtimeMs)}`;
  return {
    size: before.size,
    key: `file:${file}:${state(before)}`,
    check: async () => {
      if (state(await stat(file)) === state(before)) return;
      throw new PrefetchError('Internal', `${file} has changed since the dev Hub started: start it again`);
    },
    chunks: (start, end) => readAhead({ file, start, end }),
  };
}

async function* readAhead({ file, start, end }: { file: string; start: number; end: number }) {
  if (start >= end) return;
  const handle = await open(file, 'r');
  const pair = takeBuffers(Math.min(CHUNK_BYTES, end - start));
  let ahead = fill(handle, pair[0], { start, end });
  try {
    for (let position = start, turn = 1; position < end; turn = 1 - turn) {
      const chunk = await ahead;
      position += chunk.length;
      if (position < end) {
        ahead = fill(handle, turn === 1 ? pair[1] : pair[0], { start: position, end });
        // The consumer may be busy sending when this fails; the next turn of the loop reports it.
        ahead.catch(() => undefined);
      }
      yield chunk;
    }
    // Not in `finally`: a send that was cut off may still hold a buffer.
    giveBuffersBack(pair);
  } finally {
    await Promise.allSettled([ahead]);
    await handle.close();
  }
}

async function fill(handle: FileHandle, buffer: Buffer, { start, end }: { start: number; end: number }) {
  const wanted = Math.min(buffer.length, end - start);
  for (let have = 0; have < wanted;) {
    const { bytesRead } = await handle.read(buffer, have, wanted - have, start + have);
    if (bytesRead === 0) throw new PrefetchError('Internal', 'A served file became shorter while it was read');
    have += bytesRead;
  }
  return buffer.subarray(0, wanted);
}

type BufferPair = readonly [Buffer, Buffer];

// Fresh megabytes cost a page fault every 4 KiB: full-sized pairs are kept for the next request.
const sparePairs: BufferPair[] = [];
const MAX_SPARE_PAIRS = 16;

function takeBuffers(size: number): BufferPair {
  const spare = size === CHUNK_BYTES ? sparePairs.pop() : undefined;
  return spare ?? [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)];
}

function giveBuffersBack(pair: BufferPair): void {
  if (pair[0].length === CHUNK_BYTES && sparePairs.length < MAX_SPARE_PAIRS) sparePairs.push(pair);
}
