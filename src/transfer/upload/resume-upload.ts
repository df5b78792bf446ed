import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import type { ObjectStore, PartDescription, Receipt, Upload } from '../../storage/object-store.js';
import { giveUp } from './give-up.js';
import { partSizeOf, planParts } from './part-plan.js';

/** An upload to go on with: all its parts, and those that the store holds already. */
export interface OpenUpload {
  readonly upload: Upload;
  readonly partSize: number;
  readonly parts: readonly PartDescription[];
  readonly held: readonly Receipt[];
}

/** An object to be written in parts. */
export interface PlannedUpload {
  readonly store: ObjectStore;
  readonly key: string;
  readonly size: number;
  /** Of an upload that is started now. */
  readonly partSize: number;
  /** Part sizes of uploads that are gone on with. */
  readonly accepts: (partSize: number) => boolean;
}

interface Options {
  readonly signal: AbortSignal;
}

interface Found {
  readonly upload: Upload;
  readonly partSize: number;
  readonly heldBytes: number;
}

/**
 * Goes on with the unfinished upload that holds the most, whatever settings it was begun with, or starts one. Uploads that
 * cannot be used here are left alone: another writer may be at work on them.
 */
export async function resumeUpload(plan: PlannedUpload, options: Options): Promise<OpenUpload> {
  for (const { upload, partSize } of await findUsable(plan, options)) {
    const taken = await ifThere(() => takeUp(plan, { upload, partSize }, options));
    if (taken !== undefined) return taken;
  }
  return startUpload(plan, options);
}

/** Starts an upload that holds nothing yet, so that this process sees all bytes that go into it. */
export async function startUpload(plan: PlannedUpload, options: Options): Promise<OpenUpload> {
  const { store, key, size, partSize } = plan;
  const upload = await store.createUpload(key, { size, partSize, ...options });
  return { upload, partSize, parts: planParts(size, partSize), held: [] };
}

async function findUsable({ store, key, size, accepts }: PlannedUpload, options: Options): Promise<Found[]> {
  const usable: Found[] = [];
  for (const upload of await store.findUploads(key, options)) {
    const held = (await ifThere(() => store.listParts(upload, options))) ?? [];
    // One that holds nothing may be somebody's who just started, and is worth nothing.
    const partSize = held.length === 0 ? undefined : partSizeOf(size, held);
    if (partSize === undefined || !accepts(partSize)) continue;
    usable.push({ upload, partSize, heldBytes: held.reduce((sum, receipt) => sum + receipt.size, 0) });
  }
  return usable.sort((a, b) => b.heldBytes - a.heldBytes);
}

async function takeUp(
  { store, size }: PlannedUpload,
  { upload: found, partSize }: Pick<Found, 'upload' | 'partSize'>,
  options: Options
): Promise<OpenUpload> {
  const upload = (await takeOver(store, found, options)) ?? found;
  return { upload, partSize, parts: planParts(size, partSize), held: await store.listParts(upload, options) };
}

/** Where there is no room for a copy the upload is given up: better to start over than never to come through. */
async function takeOver(store: ObjectStore, found: Upload, options: Options): Promise<Upload | undefined> {
  try {
    return await store.takeOver?.(found, options);
  } catch (error) {
    if (!isPrefetchError(error, 'DiskFull')) throw error;
    await giveUp(store, found, options);
    throw new PrefetchError('UploadNotFound', `There was no room to go on with an upload of ${found.key}`);
  }
}

async function ifThere<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (isPrefetchError(error, 'UploadNotFound')) return undefined;
    throw error;
  }
}
