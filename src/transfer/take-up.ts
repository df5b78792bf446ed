import { isPrefetchError } from '../core/errors.js';
import type { ObjectStore, PartDescription, Receipt, Upload } from '../storage/object-store.js';
import { planParts, receiptsFit } from './part-plan.js';

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
  readonly partSize: number;
}

/** Takes up the newest unfinished upload that holds parts of this plan, or starts one. */
export async function takeUpUpload(
  plan: PlannedUpload,
  options: { readonly signal: AbortSignal }
): Promise<OpenUpload> {
  const { store, key, size, partSize } = plan;
  const parts = planParts(size, partSize);
  for (const upload of await store.findUploads(key, options)) {
    const held = await heldParts(store, upload, options);
    // One that holds nothing may be somebody's who just started, and costs nothing.
    if (held === undefined || held.length === 0) continue;
    if (receiptsFit(parts, held)) return { upload, partSize, parts, held };
    // Of another part size: nobody can use it any more, and a store bills its parts for ever.
    await store.abortUpload(upload, options);
  }
  return startUpload(plan, options);
}

/** Starts an upload that holds nothing yet, and gives up those that are there: nobody is to go on with them. */
export async function startOver(plan: PlannedUpload, options: { readonly signal: AbortSignal }): Promise<OpenUpload> {
  for (const upload of await plan.store.findUploads(plan.key, options)) await plan.store.abortUpload(upload, options);
  return startUpload(plan, options);
}

async function startUpload(plan: PlannedUpload, options: { readonly signal: AbortSignal }): Promise<OpenUpload> {
  const { store, key, size, partSize } = plan;
  const upload = await store.createUpload(key, { size, partSize, ...options });
  return { upload, partSize, parts: planParts(size, partSize), held: [] };
}

async function heldParts(
  store: ObjectStore,
  upload: Upload,
  options: { readonly signal: AbortSignal }
): Promise<Receipt[] | undefined> {
  try {
    return await store.listParts(upload, options);
  } catch (error) {
    if (isPrefetchError(error, 'UploadNotFound')) return undefined;
    throw error;
  }
}
