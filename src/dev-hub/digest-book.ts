import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Digest } from '../core/digest.js';
import type { Content } from './content.js';

/** Computes digests, and remembers them in a file where one is given. */
export interface DigestBook {
  readonly digestOf: (
    content: Content,
    algorithm: Digest['algorithm']
  ) => Promise<Digest & { readonly fresh: boolean }>;
  /** Keeps what was computed for the next run. */
  readonly save: () => Promise<void>;
}

/** Reads what the file keeps; one that cannot be read counts as empty. */
export async function openDigestBook(file: string | undefined, signal?: AbortSignal): Promise<DigestBook> {
  const known = file === undefined ? new Map<string, string>() : await readCache(file);
  let changed = false;
  return {
    digestOf: async (content, algorithm) => {
      const key = content.key === undefined ? undefined : `${algorithm}:${content.key}`;
      const remembered = key === undefined ? undefined : known.get(key);
      if (remembered !== undefined) return { algorithm, hex: remembered, fresh: false };
      const hex = await hash(content, algorithm, signal);
      if (key !== undefined) {
        known.set(key, hex);
        changed = true;
      }
      return { algorithm, hex, fresh: true };
    },
    save: async () => {
      if (file !== undefined && changed) await writeCache(file, known);
      changed = false;
    },
  };
}

/** Git's id of a file: the SHA-1 of a header with its length, and its bytes. */
export function gitBlobId(bytes: Uint8Array): string {
  return gitBlobHash(bytes.length).update(bytes).digest('hex');
}

function gitBlobHash(size: number) {
  return createHash('sha1').update(`blob ${String(size)}\0`);
}

async function hash(content: Content, algorithm: Digest['algorithm'], signal: AbortSignal | undefined) {
  const sum = algorithm === 'sha256' ? createHash('sha256') : gitBlobHash(content.size);
  for await (const chunk of content.chunks(0, content.size)) {
    signal?.throwIfAborted();
    sum.update(chunk);
  }
  return sum.digest('hex');
}

/** A cache that cannot be read costs time only. */
async function readCache(file: string): Promise<Map<string, string>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof value !== 'object' || value === null) return new Map();
    const valid = Object.entries(value).filter(([, hex]) => typeof hex === 'string' && /^[0-9a-f]{40,64}$/.test(hex));
    return new Map(valid.map(([key, hex]) => [key, String(hex)]));
  } catch {
    return new Map();
  }
}

async function writeCache(file: string, known: ReadonlyMap<string, string>): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.${randomUUID()}`;
  await writeFile(draft, JSON.stringify(Object.fromEntries(known)));
  await rename(draft, file);
}
