import type { Manifest } from '../core/contract.js';
import { isPlanObject, planIdOf } from '../core/keys.js';
import { MiB } from '../core/units.js';
import type { DirObjects } from '../dir/dir-objects.js';
import type { DirPlace } from '../dir/dir-place.js';
import type { StoredDir } from '../dir/open-dir.js';
import { readPlan, removePlans } from '../dir/plan-objects.js';
import type { RequestOptions } from '../storage/object-store.js';
import { forEachAtOnce } from '../tasks/for-each-at-once.js';
import { keepHouse, type HouseOptions } from './keep-house.js';
import { asVouched, namesAll } from './named-files.js';

const FILES_AT_ONCE = 16;
/** The smallest upload part of any store: what is not larger is written with one request. */
const SMALLEST_PART_BYTES = 5 * MiB;

/**
 * Removes what nobody needs once a Dir is published: unfinished uploads of its files, then all plans, so that plans are
 * there as long as anything is left to do. What cannot be removed stays: the Dir is good without that.
 */
export async function tidyDir({ store, dirKey }: DirPlace, manifest: Manifest, options: HouseOptions): Promise<void> {
  const place = `${store.root}${dirKey}`;
  const done = await keepHouse(`Unfinished uploads of ${place}`, options, () =>
    removeUploads({ store, dirKey }, manifest, options)
  );
  if (done) await keepHouse(`The plans of ${place}`, options, () => removePlans(store, dirKey, options));
}

/** The same for a Dir that was found published, where a run ended before it did so. */
export async function tidyFoundDir(
  { store, dirKey }: DirPlace,
  { manifest, objects }: { readonly manifest: Manifest; readonly objects: DirObjects },
  options: HouseOptions
): Promise<void> {
  const keys = [...objects.values()].map(({ key }) => key).filter((key) => isPlanObject(dirKey, key));
  if (keys.length === 0) return;
  await keepHouse(`The plans of ${store.root}${dirKey}`, options, async () => {
    for (const planId of new Set(keys.flatMap((key) => planIdOf(dirKey, key) ?? []))) {
      const plan = await readPlan(store, dirKey, planId, options);
      // A run that was told to trust nothing is at work on this Dir, or will be again.
      if (plan?.force !== undefined && plan.force !== manifest.force) return;
      // So is one that brings what the Dir lacks.
      if (plan?.commit === manifest.commit && !namesAll(manifest, asVouched(plan.files, manifest.files))) return;
    }
    await tidyDir({ store, dirKey }, manifest, options);
  });
}

/**
 * Removes unfinished uploads of a Dir that was published while a step of another run was at work on it: what that one
 * began after the publication, and was killed over, is nobody's any more.
 */
export async function removeLateUploads(dir: StoredDir, options: HouseOptions): Promise<void> {
  await keepHouse(`Unfinished uploads of ${dir.store.root}${dir.dirKey}`, options, async () => {
    const published = await dir.manifest(options);
    if (published !== undefined) await removeUploads(dir, published.manifest, options);
  });
}

async function removeUploads({ store, dirKey }: DirPlace, { files }: Manifest, options: RequestOptions): Promise<void> {
  const { multipart } = await store.capabilities(options);
  const large = multipart ? files.filter(({ size }) => size > SMALLEST_PART_BYTES) : [];
  await forEachAtOnce(large, { limit: FILES_AT_ONCE, ...options }, async ({ path }, inner) => {
    for (const upload of await store.findUploads(`${dirKey}${path}`, inner)) {
      await store.abortUpload(upload, inner);
    }
  });
}
