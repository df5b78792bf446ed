import type { Dir, Manifest, PlanSummary, PrefetchSpec } from '../core/contract.js';
import type { Plan } from '../core/schemas/plan.js';
import { openDir, type StoredDir } from '../dir/open-dir.js';
import { readBatchRecords, readPlan } from '../dir/plan-objects.js';
import { notPublished, requireVerified } from '../dir/require-verified.js';
import type { RequestOptions } from '../storage/object-store.js';
import type { ActivityDependencies } from './dependencies.js';
import { namesAll } from './named-files.js';
import { isOfSpec } from './survey.js';
import { tidyDir } from './tidy-dir.js';

type Needs = Pick<ActivityDependencies, 'openStore' | 'tool' | 'warn'>;

/** Checks that every file is there as it was verified, writes the manifest, and removes the plans. */
export async function publishDir(
  { openStore, tool, warn }: Needs,
  spec: PrefetchSpec,
  { planId }: Pick<PlanSummary, 'planId'>,
  options: RequestOptions & { readonly now: Date }
): Promise<Dir> {
  const dir = openDir(await openStore(spec.destination), spec.dirKey);
  // An attempt that died, or another run of this Dir, may have published already, and its plans may be gone.
  const plan = await readPlan(dir.store, spec.dirKey, planId, options);
  const isOurs = (manifest: Manifest) => isOfSpec(spec, manifest) && namesAll(manifest, plan?.files ?? []);
  let published = await dir.findIntact(isOurs, { ...options, mayRepair: () => true });
  if (published === undefined) {
    if (plan === undefined) throw notPublished(dir, ['its plan is gone']);
    const files = await checkFiles(dir, plan, options);
    const manifest = makeManifest(spec, files, { tool, createdAt: options.now.toISOString() });
    published = await dir.publish(manifest, options);
  }
  await tidyDir(dir, published.manifest, { ...options, warn });
  return dir.describe(published, spec);
}

async function checkFiles(dir: StoredDir, plan: Plan, options: RequestOptions): Promise<Manifest['files']> {
  const records = await readBatchRecords(dir.store, dir.dirKey, plan, options);
  const etags = new Map(records.map(({ file, etag }) => [file, etag]));
  const files = plan.files.map(({ path, size, digest, verifiedEtag }, position) => {
    const etag = verifiedEtag ?? etags.get(position);
    return { path, size, [digest.algorithm]: digest.hex, ...(etag === undefined ? {} : { etag }) };
  });
  await requireVerified(dir, files, options);
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
