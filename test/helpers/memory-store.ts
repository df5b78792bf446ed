import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { PrefetchError } from '../../src/core/errors.js';
import { brokenRead } from '../../src/storage/broken-read.js';
import type { HttpAnswer, ObjectStore, Receipt, StoreCapabilities, Upload } from '../../src/storage/object-store.js';
import { serveRange, startServer } from './local-server.js';

interface StoredPart extends Receipt {
  readonly bytes: Buffer;
}

/** A store in memory that takes and gives bytes over real HTTP, as S3 does, and can be made to fail. */
export interface MemoryStore extends ObjectStore {
  readonly objects: Map<string, Buffer>;
  readonly uploads: Map<string, { readonly key: string; readonly parts: Map<number, StoredPart> }>;
  readonly faults: StoreFaults;
  /** Names of the calls so far, and requests as `PUT part 3`. */
  readonly calls: string[];
}

export interface StoreFaults {
  /** Answers a request itself where it returns true. */
  intercept?: (request: IncomingMessage, response: ServerResponse, name: string) => boolean;
  /** Runs instead of completeUpload; `complete` does the real work. */
  completing?: (complete: () => void) => Promise<void> | void;
}

export async function startMemoryStore(change: Partial<StoreCapabilities> = {}): Promise<MemoryStore> {
  const objects = new Map<string, Buffer>();
  const uploads: MemoryStore['uploads'] = new Map();
  const faults: StoreFaults = {};
  const calls: string[] = [];
  const server = await startServer((request, response) => {
    // Who gives up in the middle of a body gets no answer.
    answer(request, response).catch(() => response.destroy());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', server.origin);
    const key = url.searchParams.get('key') ?? '';
    const partNumber = Number(url.searchParams.get('part'));
    const name = `${request.method ?? ''} ${partNumber > 0 ? `part ${partNumber}` : key}`;
    calls.push(name);
    if (faults.intercept?.(request, response, name) === true) return;
    if (request.method === 'GET') {
      serveRange(objects.get(key) ?? Buffer.alloc(0), request, response);
      return;
    }
    const bytes = await buffer(request);
    const etag = etagOf(bytes);
    if (partNumber > 0) {
      const upload = uploads.get(url.searchParams.get('upload') ?? '');
      if (upload === undefined) {
        response.writeHead(404).end('<Error><Code>NoSuchUpload</Code></Error>');
        return;
      }
      upload.parts.set(partNumber, { partNumber, size: bytes.length, etag, crc32: crc32(bytes), bytes });
    } else objects.set(key, bytes);
    response.writeHead(200, { ETag: etag }).end();
  }

  const info = (key: string) => {
    const bytes = objects.get(key);
    return bytes === undefined ? undefined : { key, size: bytes.length, etag: etagOf(bytes) };
  };
  const stored = (key: string) => {
    const found = info(key);
    if (found === undefined) throw new PrefetchError('ObjectNotFound', key);
    return found;
  };
  const uploadOf = ({ id }: Upload) => {
    const upload = uploads.get(id);
    if (upload === undefined) throw new PrefetchError('UploadNotFound', id);
    return upload;
  };
  const target = (query: Record<string, string>) => ({
    kind: 'http' as const,
    url: `${server.origin}/?${new URLSearchParams(query).toString()}`,
    headers: {},
  });

  return {
    root: 's3://memory/',
    objects,
    uploads,
    faults,
    calls,
    capabilities: () =>
      Promise.resolve({
        multipart: true,
        conditionalComplete: true,
        putIfAbsent: true,
        putIfMatch: true,
        partChecksums: true,
        equalParts: false,
        uploadIds: true,
        listsUploads: true,
        minPartSize: 1,
        maxPartSize: 2 ** 32,
        maxParts: 10_000,
        ...change,
      }),
    checkWritable: () => Promise.resolve(),
    head: (key) => Promise.resolve(info(key)),
    get: (key) => Promise.resolve(objects.get(key)),
    put: async (key, body, { ifAbsent, ifMatch } = {}) => {
      await Promise.resolve();
      calls.push(`put ${key}`);
      if (ifAbsent === true && objects.has(key)) throw new PrefetchError('ObjectExists', key);
      if (ifMatch !== undefined && info(key)?.etag !== ifMatch) throw new PrefetchError('StoreConflict', key);
      objects.set(key, Buffer.from(body));
      return stored(key);
    },
    async *list(prefix) {
      await Promise.resolve();
      for (const key of [...objects.keys()].sort()) if (key.startsWith(prefix)) yield stored(key);
    },
    async *listFolders() {
      await Promise.resolve();
      yield* [];
    },
    delete: (key) => {
      calls.push(`delete ${key}`);
      objects.delete(key);
      return Promise.resolve();
    },
    deleteMany: (keys) => {
      calls.push(`delete ${keys.join(', ')}`);
      for (const key of keys) objects.delete(key);
      return Promise.resolve();
    },
    copy: async (from, to, { ifMatch, ifAbsent } = {}) => {
      await Promise.resolve();
      const { etag } = stored(from);
      if (ifMatch !== undefined && ifMatch !== etag) throw new PrefetchError('StoreConflict', from);
      if (ifAbsent === true && objects.has(to)) throw new PrefetchError('ObjectExists', to);
      objects.set(to, Buffer.from(objects.get(from) ?? []));
      return stored(to);
    },
    createUpload: (key) => {
      if (change.multipart === false) return Promise.reject(new PrefetchError('UnsupportedStore', 'no parts'));
      const id = randomUUID();
      uploads.set(id, { key, parts: new Map() });
      return Promise.resolve({ key, id });
    },
    findUploads: (key) =>
      Promise.resolve(
        [...uploads]
          .filter(([, upload]) => upload.key === key)
          .map(([id]) => ({ key, id }))
          .reverse()
      ),
    async *listUploads(prefix) {
      await Promise.resolve();
      for (const [id, { key }] of uploads) if (key.startsWith(prefix)) yield { key, id, startedMs: 0 };
    },
    listParts: async (upload) => {
      await Promise.resolve();
      return [...uploadOf(upload).parts.values()].sort((a, b) => a.partNumber - b.partNumber);
    },
    partTarget: (upload, { partNumber }) => Promise.resolve(target({ upload: upload.id, part: String(partNumber) })),
    confirmPart: async (upload, { partNumber, size, crc32: sum }, answer) => {
      await Promise.resolve();
      const etag = etagIn(answer);
      const part = uploadOf(upload).parts.get(partNumber);
      if (part === undefined || part.etag !== etag || part.size !== size || part.crc32 !== sum)
        throw new PrefetchError('Internal', 'part');
      return { partNumber, size, etag: part.etag, crc32: part.crc32 ?? 0 };
    },
    completeUpload: async (upload, parts, { size, crc32: sum, ifAbsent }) => {
      calls.push('complete');
      const complete = (): void => {
        const { key, parts: held } = uploadOf(upload);
        const bytes = Buffer.concat(parts.map(({ partNumber }) => held.get(partNumber)?.bytes ?? Buffer.alloc(0)));
        if (ifAbsent === true && objects.has(key)) throw new PrefetchError('ObjectExists', key);
        if (bytes.length !== size) throw new PrefetchError('StoreConflict', 'size');
        if (sum !== undefined && sum !== crc32(bytes)) throw new PrefetchError('StoreConflict', 'crc32');
        objects.set(key, bytes);
        uploads.delete(upload.id);
      };
      if (faults.completing === undefined) complete();
      else await faults.completing(complete);
      return stored(upload.key);
    },
    abortUpload: ({ id }) => {
      calls.push('abort');
      uploads.delete(id);
      return Promise.resolve();
    },
    objectTarget: (key) => Promise.resolve(target({ key })),
    confirmObject: async (key, { size }, answer) => {
      await Promise.resolve();
      return { key, size, etag: etagIn(answer) };
    },
    readFailure: (failure, key) =>
      Promise.resolve(failure instanceof Error ? brokenRead(failure, key) : refusal(failure, key)),
    readTarget: async (key) => {
      await Promise.resolve();
      stored(key);
      return target({ key });
    },
    close: () => server.close(),
  };
}

function etagIn(answer: HttpAnswer | undefined): string {
  const etag = answer?.headers['etag'];
  if (answer?.status === 200 && etag !== undefined) return etag;
  throw answer === undefined ? new PrefetchError('Internal', 'no answer') : refusal(answer, 'bytes');
}

const refusals = {
  401: 'StoreAccessDenied',
  403: 'StoreAccessDenied',
  404: 'ObjectNotFound',
  416: 'ObjectNotFound',
} as const;

const codes = { NoSuchUpload: 'UploadNotFound', NoSuchBucket: 'BucketNotFound' } as const;

/** As S3 words it, told from its status and one code. */
function refusal({ origin, status, text, headers }: HttpAnswer, what: string): PrefetchError {
  const known = Object.entries(refusals).find(([each]) => Number(each) === status)?.[1] ?? 'StoreUnavailable';
  const seconds = Number(headers['retry-after']);
  const named = Object.entries(codes).find(([each]) => text.includes(each))?.[1];
  return new PrefetchError(named ?? known, `${origin} answered ${status} to ${what}`, {
    details: { status },
    ...(Number.isNaN(seconds) ? {} : { retryAfterMs: 1000 * seconds }),
  });
}

function etagOf(bytes: Uint8Array): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}
