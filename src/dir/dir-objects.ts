import type { ObjectInfo, RequestOptions } from '../storage/object-store.js';
import { forEachAtOnce } from '../tasks/for-each-at-once.js';
import type { DirPlace } from './dir-place.js';

/** The objects of a Dir by their path in the repo; our own objects are there too. */
export type DirObjects = ReadonlyMap<string, ObjectInfo>;

/** What some record says of a file: its size in bytes, and the etag under which its bytes were verified. */
export interface RecordedFile {
  readonly path: string;
  readonly size: number;
  readonly etag?: string | undefined;
}

const HEADS_AT_ONCE = 16;

/** Every object under a Dir, as the store lists them. */
async function listDir({ store, dirKey }: DirPlace, options: RequestOptions): Promise<Map<string, ObjectInfo>> {
  const objects = new Map<string, ObjectInfo>();
  for await (const object of store.list(dirKey, options)) objects.set(object.key.slice(dirKey.length), object);
  return objects;
}

/** True when the object at a path is the one that was verified: same size, same etag. */
export function isUnchanged(objects: DirObjects, file: RecordedFile): boolean {
  const object = objects.get(file.path);
  return object !== undefined && object.size === file.size && object.etag === file.etag;
}

/** The files that are not as they were recorded; `objects` is what the store lists. */
export function changedFiles<T extends RecordedFile>(objects: DirObjects, files: readonly T[]): T[] {
  return files.filter((file) => !isUnchanged(objects, file));
}

/** The list of a Dir, with what it contradicts asked of the objects themselves: lists may be a minute old. */
export async function listDirNow(
  place: DirPlace,
  recorded: readonly RecordedFile[],
  options: RequestOptions
): Promise<DirObjects> {
  const objects = await listDir(place, options);
  const doubtful = changedFiles(objects, recorded);
  await forEachAtOnce(doubtful, { limit: HEADS_AT_ONCE, ...options }, async ({ path }, inner) => {
    const info = await place.store.head(`${place.dirKey}${path}`, inner);
    if (info === undefined) objects.delete(path);
    else objects.set(path, info);
  });
  return objects;
}
