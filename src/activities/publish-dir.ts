import type { Dir, Manifest, PlanSummary, PrefetchSpec } from '../core/contract.js';
import { PrefetchError } from '../core/errors.js';
import { manifestKey } from '../core/layout.js';
import type { Plan } from '../core/schemas/plan.js';
import type { ObjectStore, RequestOptions } from '../storage/object-store.js';
import type { ActivityDependencies } from './dependencies.js';
import { changedFiles, listDirNow } from './dir-objects.js';
import { inspectDir } from './inspect-dir.js';
import { encodeJson, readBatchRecords, readPlan } from './plan-objects.js';
import { dirOf, readManifest, type PublishedDir } from './published-dir.js';
import { isOfSpec, namesAll } from './survey.js';
import { tidyDir } from './tidy-dir.js';

type Needs = Pick<ActivityDependencies, 'openStore' | 'tool'>;

/** Checks that every file is there as it was verified, writes the manifest, and removes the plans. */
export async function publishDir(
  { openStore, tool }: Needs,
  spec: PrefetchSpec,
  { planId }: Pick<PlanSummary, 'planId'>,
  options: RequestOptions & { readonly now: Date }
): Promise<Dir> {
  const store = await openStore(spec.destination);
  // An attempt that died, or another run of this Dir, may have published already, and its plans may be gone.
  const plan = await readPlan(store, spec.dirKey, planId, options);
  let published = await findPublished(store, spec, plan, options);
  if (published === undefined) {
    if (plan === undefined) throw changed(store, spec, ['its plan is gone']);
    const files = await checkFiles(store, spec, plan, options);
    const manifest = makeManifest(spec, files, { tool, createdAt: options.now.toISOString() });
    published = { manifest, bytes: encodeJson(manifest) };
    await store.put(manifestKey(spec.dirKey), published.bytes, { ...options, contentType: 'application/json' });
  }
  await tidyDir({ store, dirKey: spec.dirKey }, published.manifest, options);
  return dirOf(store, spec, published);
}

async function findPublished(
  store: ObjectStore,
  spec: PrefetchSpec,
  plan: Plan | undefined,
  options: RequestOptions
): Promise<PublishedDir | undefined> {
  const isOurs = (manifest: Manifest) => isOfSpec(spec, manifest) && namesAll(manifest, plan?.files ?? []);
  const named = await readManifest(store, spec.dirKey, options);
  if (named === undefined || !isOurs(named.manifest)) return undefined;
  const { published, intact } = await inspectDir(store, spec.dirKey, { ...options, mayRepair: isOurs });
  return intact && published !== undefined && isOurs(published.manifest) ? published : undefined;
}

async function checkFiles(
  store: ObjectStore,
  spec: PrefetchSpec,
  plan: Plan,
  options: RequestOptions
): Promise<Manifest['files']> {
  const records = await readBatchRecords(store, spec.dirKey, plan, options);
  const etags = new Map(records.map(({ file, etag }) => [file, etag]));
  const files = plan.files.map(({ path, size, digest, verifiedEtag }, position) => {
    const etag = verifiedEtag ?? etags.get(position);
    return { path, size, [digest.algorithm]: digest.hex, ...(etag === undefined ? {} : { etag }) };
  });
  const objects = await listDirNow(store, spec.dirKey, files, options);
  const wrong = changedFiles(objects, files).map(({ path }) => path);
  if (wrong.length > 0) throw changed(store, spec, wrong);
  return files;
}

function makeManifest(
  spec: PrefetchSpec,
  files: Manifest['files'],
  how: { readonly tool: Manifest['tool']; readonly createdAt: string }
): Manifest {
  return {
    version: 1,
    repo: spec.repo,
    revision: spec.revision,
    commit: spec.commit,
    artifactName: spec.artifactName,
    format: 'huggingface',
    selection: {
      kind: spec.selection.kind,
      include: [...spec.selection.include],
      exclude: [...spec.selection.exclude],
    },
    ...(spec.force === undefined ? {} : { force: spec.force }),
    ...how,
    ...(spec.metadata === undefined ? {} : { metadata: spec.metadata }),
    fileCount: files.length,
    totalBytes: files.reduce((total, file) => total + file.size, 0),
    files,
  };
}

function changed(store: ObjectStore, spec: PrefetchSpec, paths: readonly string[]): PrefetchError {
  return new PrefetchError(
    'ObjectChanged',
    `Not published: ${String(paths.length)} of the files in ${store.root}${spec.dirKey} are not as they were verified ` +
      `(${paths.slice(0, 3).join(', ')}${paths.length > 3 ? ', …' : ''}). Something else writes there. Run it again`
  );
}
