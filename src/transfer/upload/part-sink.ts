import { crc32 } from 'node:zlib';
import type { Digest } from '../../core/digest.js';
import { PrefetchError } from '../../core/errors.js';
import { patienceOf } from '../../http/request-policy.js';
import type { ObjectStore, PartDescription, Receipt } from '../../storage/object-store.js';
import { createPause, type Pause } from '../../tasks/pause.js';
import { holdOne, type GiveWay } from '../../tasks/permits.js';
import type { TaskGroup } from '../../tasks/task-group.js';
import type { Slab } from '../budget/slab-pool.js';
import { inSlices } from '../digest/content-hash.js';
import { createOrderedHash } from '../digest/ordered-hash.js';
import { createThreadHash } from '../threads/hash-thread.js';
import type { TransferContext } from '../transfer-context.js';
import type { OpenUpload } from './resume-upload.js';
import { createPartSender } from './send-part.js';

/** All receipts, and the digest of all bytes where every part passed through here. */
export interface StreamedParts {
  readonly receipts: readonly Receipt[];
  readonly hex: string | undefined;
}

/** The end of the way for the parts of one upload: a hash and a PUT lane for each of them. */
export interface PartSink {
  /** Parts that the store does not hold yet, in order. */
  readonly missing: readonly PartDescription[];
  /** Done when no part has to be tried again: more of them would have to as well, and be fetched in vain. */
  untroubled(): Promise<void>;
  /** Takes a full slab and releases it when its bytes are hashed and stored; failures are the group's. */
  take(part: PartDescription, slab: Slab): void;
  /** After the group has ended well. */
  finish(): Promise<StreamedParts>;
  close(): Promise<void>;
}

/** Parts of one object that go to one upload. */
export interface PartSinkOptions {
  readonly context: Pick<TransferContext, 'policies' | 'putLanes'>;
  readonly store: ObjectStore;
  readonly open: OpenUpload;
  readonly object: { readonly size: number; readonly algorithm: Digest['algorithm'] };
  readonly partChecksums: boolean;
  readonly group: TaskGroup;
  readonly onStored: (bytes: number) => void;
}

/** Makes a sink whose hash runs only where all parts of the object come by here. */
export function createPartSink(options: PartSinkOptions): PartSink {
  const { context, store, open, object, partChecksums, group, onStored } = options;
  const receipts = new Map(open.held.map((receipt) => [receipt.partNumber, receipt]));
  const sender = createPartSender(store, open.upload, {
    ...context.policies.put,
    outage: context.policies.outage,
    ...patienceOf(context.policies),
  });
  // Parts that another process sent are not seen here, and a hash needs all of them.
  const running = open.held.length === 0 ? createThreadHash(object.algorithm, object.size) : undefined;
  const hash = running === undefined ? undefined : createOrderedHash(running, group);

  const pause = createPause();

  async function storePart(part: PartDescription, bytes: Uint8Array): Promise<void> {
    const { signal } = group;
    await holdOne(context.putLanes, { signal }, async (giveWay) => {
      const described = partChecksums ? { ...part, crc32: await crc32Of(bytes) } : part;
      const receipt = await holdingUp(pause, giveWay, (inTrouble) =>
        sender.send(described, bytes, { signal, giveWay: inTrouble })
      );
      receipts.set(part.partNumber, receipt);
      onStored(part.size);
    });
  }

  return {
    missing: open.parts.filter(({ partNumber }) => !receipts.has(partNumber)),
    untroubled: () => pause.over(group),
    take(part, slab) {
      const bytes = slab.bytes.subarray(0, part.size);
      let users = hash === undefined ? 1 : 2;
      const use = (task: () => Promise<void>): void => {
        group.run(() =>
          task().finally(() => {
            if (--users === 0) slab.release();
          })
        );
      };
      if (hash !== undefined) use(() => hash.add(part.partNumber, bytes));
      use(() => storePart(part, bytes));
    },
    finish: async () => {
      await sender.settle();
      return { receipts: inOrder(open.parts, receipts), hex: await hash?.hex() };
    },
    close: async () => {
      running?.drop();
      // The store was told that it holds parts which got lost on the way to the disk: nobody may go on with them. That
      // they were lost is told by `finish`, or something else failed before.
      await sender.settle().catch(() => store.abortUpload(open.upload).catch(() => undefined));
      await sender.close();
    },
  };
}

/** From its first wait to its end, something holds up others. */
async function holdingUp<T>(pause: Pause, giveWay: GiveWay, run: (inTrouble: GiveWay) => Promise<T>): Promise<T> {
  let end: (() => void) | undefined;
  try {
    return await run((wait) => {
      end ??= pause.begin();
      return giveWay(wait);
    });
  } finally {
    end?.();
  }
}

async function crc32Of(bytes: Uint8Array): Promise<number> {
  let value = 0;
  for await (const slice of inSlices(bytes)) value = crc32(slice, value);
  return value;
}

function inOrder(parts: readonly PartDescription[], receipts: ReadonlyMap<number, Receipt>): Receipt[] {
  return parts.map(({ partNumber }) => {
    const receipt = receipts.get(partNumber);
    if (receipt === undefined) throw new PrefetchError('Internal', `Part ${partNumber} has no receipt`);
    return receipt;
  });
}
