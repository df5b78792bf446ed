import { PrefetchError } from '../core/errors.js';
import type { RequestOptions } from '../storage/object-store.js';
import { changedFiles, type DirObjects, type RecordedFile } from './dir-objects.js';
import type { DirPlace } from './dir-place.js';
import type { StoredDir } from './open-dir.js';

/** The objects of a Dir that is to be published; `ObjectChanged` unless all files are there as they were verified. */
export async function requireVerified(
  dir: StoredDir,
  files: readonly RecordedFile[],
  options: RequestOptions
): Promise<DirObjects> {
  const objects = await dir.objects(files, options);
  const wrong = changedFiles(objects, files).map(({ path }) => path);
  if (wrong.length > 0) throw notPublished(dir, wrong);
  return objects;
}

/** Why a Dir cannot be published: its files, or what is known of them, are not as they were. */
export function notPublished({ store, dirKey }: DirPlace, paths: readonly string[]): PrefetchError {
  return new PrefetchError(
    'ObjectChanged',
    `Not published: ${String(paths.length)} of the files in ${store.root}${dirKey} are not as they were verified ` +
      `(${paths.slice(0, 3).join(', ')}${paths.length > 3 ? ', …' : ''}). Something else writes there. Run it again`
  );
}
