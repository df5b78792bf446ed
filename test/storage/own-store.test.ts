import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLightActivities, createTransferActivities } from '../../src/activities/index.js';
import { readSettings } from '../../src/config/environment.js';
import { MiB } from '../../src/core/units.js';
import { startDevHub, type DevHub } from '../../src/dev-hub/index.js';
import { PrefetchError } from '../../src/index.js';
import { describeObjectStore } from '../../src/storage/conformance.js';
import { brokenRead, checkKey, checkPrefix, type HttpAnswer, type ObjectStore } from '../../src/storage/index.js';
import { createDependencies } from '../../src/worker/dependencies.js';
import { serveRange, startServer, type LocalServer } from '../helpers/local-server.js';
import { createTmpFolder, removeFolder } from '../helpers/tmp.js';
import { spec, useToldWorkflow } from '../workflows/told-workflow.js';

/**
 * A store as a user would write one for a service like Azure Blob: a key has one set of unnamed blocks and no upload ids, a
 * good part is answered with 201 and no ETag, its receipt is the id that we gave its block, and refusals are JSON.
 */
interface BlockService {
  readonly server: LocalServer;
  readonly objects: Map<string, { readonly bytes: Buffer; readonly etag: string }>;
  /** Of each key, by block id, in the order in which they came. */
  readonly blocks: Map<string, Map<string, Buffer>>;
  /** Statuses that answer the next parts. */
  readonly refusals: number[];
}

async function startBlockService(): Promise<BlockService> {
  const objects: BlockService['objects'] = new Map();
  const blocks: BlockService['blocks'] = new Map();
  const refusals: number[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { searchParams } = new URL(request.url ?? '', 'http://service');
    const [key, block] = [searchParams.get('key') ?? '', searchParams.get('block')];
    if (request.method === 'GET') {
      const object = objects.get(key);
      if (object !== undefined) serveRange(object.bytes, request, response);
      else response.writeHead(404).end('{"code":"BlobNotFound"}');
      return;
    }
    const bytes = await buffer(request);
    const refusal = block === null ? undefined : refusals.shift();
    if (refusal !== undefined) {
      response.writeHead(refusal, { 'Content-Type': 'application/json' }).end('{"code":"AuthorizationFailure"}');
      return;
    }
    if (block === null) objects.set(key, { bytes, etag: randomUUID() });
    else blocks.set(key, (blocks.get(key) ?? new Map<string, Buffer>()).set(block, bytes));
    response.writeHead(201).end();
  }

  const server = await startServer((request, response) => {
    // A body that broke off leaves nothing.
    answer(request, response).catch(() => response.destroy());
  });
  return { server, objects, blocks, refusals };
}

const codes = { 401: 'StoreAccessDenied', 403: 'StoreAccessDenied', 404: 'ObjectNotFound' } as const;

function refusal({ origin, status, headers }: HttpAnswer, key: string): PrefetchError {
  const code = Object.entries(codes).find(([each]) => Number(each) === status)?.[1] ?? 'StoreUnavailable';
  const wait = headers['retry-after'];
  return new PrefetchError(code, `${origin} answered ${status} for ${key}`, {
    details: { status, key },
    ...(wait === undefined ? {} : { retryAfterMs: 1000 * Number(wait) }),
  });
}

function openBlockStore({ server, objects, blocks }: BlockService, root: string): ObjectStore {
  const name = (key: string): string => `${root}${(checkKey(key), key)}`;
  const target = (query: Record<string, string>) => ({
    kind: 'http' as const,
    url: `${server.origin}/?${new URLSearchParams(query).toString()}`,
    headers: {},
  });
  const info = (key: string) => {
    const object = objects.get(name(key));
    return object === undefined ? undefined : { key, size: object.bytes.length, etag: object.etag };
  };
  const stored = (key: string) => info(key) ?? fail('ObjectNotFound', key);
  const write = (
    key: string,
    bytes: Uint8Array,
    { ifAbsent = false, ifMatch }: { ifAbsent?: boolean; ifMatch?: string }
  ) => {
    if (ifAbsent && info(key) !== undefined) fail('ObjectExists', key);
    if (ifMatch !== undefined && info(key)?.etag !== ifMatch) fail('StoreConflict', key);
    const etag = createHash('sha256').update(bytes).update(randomBytes(8)).digest('hex');
    objects.set(name(key), { bytes: Buffer.from(bytes), etag });
    return stored(key);
  };
  // What a block is of stands in its id: the number of its part, its size, and its CRC32.
  const blockId = (partNumber: number, size: number, crc32 = randomBytes(4).readUInt32BE()) =>
    [partNumber, size, crc32].join('.');
  const keysUnder = (prefix: string, of: Iterable<string>) =>
    [...of]
      .filter((each) => each.startsWith(`${root}${(checkPrefix(prefix), prefix)}`))
      .map((each) => each.slice(root.length));
  return {
    root: `s3://blocks/${root}`,
    capabilities: () =>
      Promise.resolve({
        multipart: true,
        conditionalComplete: true,
        putIfAbsent: true,
        putIfMatch: true,
        partChecksums: true,
        equalParts: false,
        uploadIds: false,
        listsUploads: true,
        minPartSize: 1,
        maxPartSize: 4000 * MiB,
        maxParts: 50_000,
      }),
    checkWritable: () => Promise.resolve(),
    head: async (key) => Promise.resolve(info(key)),
    get: async (key, { signal } = {}) => {
      await Promise.resolve(signal?.throwIfAborted());
      return objects.get(name(key))?.bytes;
    },
    put: async (key, bytes, { signal, ...conditions } = {}) => {
      await Promise.resolve(signal?.throwIfAborted());
      return write(key, bytes, conditions);
    },
    async *list(prefix) {
      const keys = keysUnder(prefix, objects.keys());
      keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      for (const key of keys) yield Promise.resolve(stored(key));
    },
    async *listFolders(prefix) {
      const rest = keysUnder(prefix, objects.keys()).map((key) => key.slice(prefix.length).split('/'));
      yield* await Promise.resolve(
        new Set(rest.flatMap(([folder, ...more]) => (more.length > 0 ? [folder ?? ''] : [])))
      );
    },
    delete: async (key) => {
      objects.delete(await Promise.resolve(name(key)));
    },
    deleteMany: async (keys) => {
      for (const each of await Promise.resolve(keys.map(name))) objects.delete(each);
    },
    copy: async (from, to, { ifMatch, ifAbsent = false } = {}) => {
      const { etag } = await Promise.resolve(stored(from));
      if (ifMatch !== undefined && ifMatch !== etag) fail('StoreConflict', from);
      return write(to, objects.get(name(from))?.bytes ?? Buffer.alloc(0), { ifAbsent });
    },
    createUpload: async (key) => ({ key, id: await Promise.resolve((checkKey(key), 'blocks')) }),
    findUploads: async (key) => {
      await Promise.resolve();
      checkKey(key);
      return blocks.has(name(key)) ? [{ key, id: 'blocks' }] : [];
    },
    async *listUploads(prefix) {
      const keys = await Promise.resolve(keysUnder(prefix, blocks.keys()));
      yield* keys.map((key) => ({ key, id: 'blocks', startedMs: Date.now() }));
    },
    listParts: async ({ key }) => {
      const held = (await Promise.resolve(blocks.get(name(key)))) ?? new Map<string, Buffer>();
      const parts = [...held.keys()].map((etag) => {
        const [partNumber = 0, size = 0, crc32 = 0] = etag.split('.').map(Number);
        return { partNumber, size, etag, crc32 };
      });
      const last = new Map(parts.map((part) => [part.partNumber, part]));
      return [...last.values()].sort((a, b) => a.partNumber - b.partNumber);
    },
    partTarget: async ({ key }, { partNumber, size, crc32 }) =>
      Promise.resolve(target({ key: name(key), block: blockId(partNumber, size, crc32) })),
    confirmPart: async ({ key }, { partNumber, size, crc32 }, answer) => {
      await Promise.resolve();
      if (answer?.status !== 201) throw answer === undefined ? new Error('no answer') : refusal(answer, key);
      expect(answer.headers).not.toHaveProperty('etag');
      return { partNumber, size, etag: blockId(partNumber, size, crc32), ...(crc32 === undefined ? {} : { crc32 }) };
    },
    completeUpload: async ({ key }, parts, { size, ifAbsent = false }) => {
      const held = (await Promise.resolve(blocks.get(name(key)))) ?? fail('UploadNotFound', key);
      const bytes = parts.map(({ partNumber, etag }) => {
        if (etag.split('.')[0] !== String(partNumber)) fail('StoreConflict', key);
        return held.get(etag) ?? fail('StoreConflict', key);
      });
      const body = Buffer.concat(bytes);
      if (body.length !== size) fail('StoreConflict', key);
      const made = write(key, body, { ifAbsent });
      // A commit ends whatever else was sent to the key.
      blocks.delete(name(key));
      return made;
    },
    abortUpload: () => Promise.resolve(),
    objectTarget: async (key) => Promise.resolve(target({ key: name(key) })),
    confirmObject: async (key, _object, answer) => {
      await Promise.resolve();
      if (answer.status !== 201) throw refusal(answer, key);
      return stored(key);
    },
    readTarget: async (key) => Promise.resolve(target({ key: name(key) })),
    readFailure: async (failure, key) =>
      Promise.resolve(failure instanceof Error ? brokenRead(failure, key) : refusal(failure, key)),
    close: () => Promise.resolve(),
  };
}

function fail(code: 'ObjectNotFound' | 'ObjectExists' | 'StoreConflict' | 'UploadNotFound', key: string): never {
  throw new PrefetchError(code, key);
}

describe('a store of a user, that answers 201 without an ETag', () => {
  let service: BlockService;

  beforeAll(async () => {
    service = await startBlockService();
  });
  afterAll(() => service.server.close());

  const openFresh = () => {
    const root = `${randomUUID()}/`;
    const reopen = () => Promise.resolve(openBlockStore(service, root));
    return Promise.resolve({ store: openBlockStore(service, root), reopen, cleanup: () => Promise.resolve() });
  };
  describeObjectStore('it', openFresh, { describe, test });

  describe('in a workflow', () => {
    const runWorkflow = useToldWorkflow();
    let hub: DevHub;
    let home: string;

    beforeAll(async () => {
      home = await createTmpFolder();
      const files = {
        'config.json': { bytes: Buffer.from('{}') },
        'nested/model.safetensors': { seed: 'blocks', size: 40 * MiB },
      };
      hub = await startDevHub({ repos: [{ id: spec.repo, commits: [{ files }] }] });
    });
    afterAll(async () => {
      await hub.close();
      await removeFolder(home);
    });

    test.each(['stream', 'download-upload'] as const)('carries a whole prefetch by %s', async (transferMode) => {
      const root = `${randomUUID()}/`;
      const store = openBlockStore(service, root);
      const settings = readSettings({
        HOME: home,
        HF_ENDPOINT: hub.url,
        MODEL_PREFETCH_STORE: store.root,
        MODEL_PREFETCH_PART_SIZE: '8MiB',
        MODEL_PREFETCH_TRANSFER: transferMode,
      });
      const tool = { name: 'test', version: '0' };
      const dependencies = {
        ...createDependencies(settings, { embedded: true, tool }),
        openStore: () => Promise.resolve(store),
      };
      // A signature that has ended, and a store that is busy.
      service.refusals.push(403, 503);
      const dir = await runWorkflow({
        ...createLightActivities(dependencies),
        ...createTransferActivities(dependencies),
      });
      expect(dir).toMatchObject({ repo: spec.repo, fileCount: 2, totalBytes: 40 * MiB + 2 });
      expect(service.refusals).toEqual([]);
      const large = [...service.objects].find(([key]) => key.startsWith(root) && key.endsWith('model.safetensors'));
      const hubBytes = await fetch(`${hub.url}/${spec.repo}/resolve/main/nested/model.safetensors`);
      const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
      expect(digest(large?.[1].bytes ?? Buffer.alloc(0))).toBe(digest(new Uint8Array(await hubBytes.arrayBuffer())));
      expect([...service.blocks.keys()].filter((key) => key.startsWith(root))).toEqual([]);
    });
  });
});
