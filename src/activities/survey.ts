import type { Dir, Manifest, PrefetchSpec } from '../core/contract.js';
import { digestKey, type Digest } from '../core/digest.js';
import { PrefetchError } from '../core/errors.js';
import { manifestKey, planIdOf } from '../core/layout.js';
import type { PlannedFile } from '../core/schemas/plan.js';
import type { Hub, HubFile } from '../hub/hub.js';
import { selectFiles } from '../hub/select-files.js';
import type { ObjectInfo, ObjectStore, RequestOptions } from '../storage/object-store.js';
import { readBatchRecords, readPlan } from './plan-objects.js';
import { dirOf, isIntact, isTrusted, isUnchanged, listDir, readManifest, type PublishedDir } from './published-dir.js';

/** What the store and the Hub say about a Dir, found without writing anything. */
export type Survey =
  | { readonly kind: 'hit'; readonly dir: Dir; readonly manifest: Manifest }
  | {
      readonly kind: 'work';
      readonly files: readonly PlannedFile[];
      /** A manifest is there, but what it promises is not: it must go before anything else happens. */
      readonly brokenManifest: boolean;
    };

export interface SurveyRequest {
  readonly spec: PrefetchSpec;
  readonly store: ObjectStore;
  readonly hub: Hub;
  readonly token: string | undefined;
}

/** Finds the published Dir, or says for every file whether it is there, can be copied, or has to come from the Hub. */
export async function surveyDir({ spec, store, hub, token }: SurveyRequest, options: RequestOptions): Promise<Survey> {
  const [objects, published] = await Promise.all([
    listDir(store, spec.dirKey, options),
    readManifest(store, spec.dirKey, options),
  ]);
  const intact = published !== undefined && isIntact(published.manifest, objects);
  const trusted = published !== undefined && isTrusted(spec, published.manifest);
  if (published !== undefined && intact && trusted) {
    return { kind: 'hit', dir: dirOf(store, spec, published), manifest: published.manifest };
  }
  if (!spec.hubAnswered) {
    throw new PrefetchError(
      'HubUnavailable',
      `${spec.repo}@${spec.commit} is not complete in the store, and ${hub.endpoint} does not answer`
    );
  }
  const listing = await listRepo(hub, spec, { ...options, ...(token === undefined ? {} : { token }) });
  const oldPlans = [...objects.values()].flatMap(({ key }) => planIdOf(spec.dirKey, key) ?? []);
  const verified = await findVerified(
    { spec, store, objects, oldPlans, published: trusted ? published : undefined },
    options
  );
  const elsewhere =
    spec.force === undefined ? await findElsewhere(store, spec, options) : new Map<string, ObjectInfo>();
  return {
    kind: 'work',
    files: listing.map((file) => planFile(file, { objects, verified, elsewhere })),
    // A good manifest stays while a forced run replaces its objects one by one by equal bytes.
    brokenManifest: objects.has(manifestKey('')) && !intact,
  };
}

/** The files of the commit that the selection takes. */
export async function listRepo(
  hub: Hub,
  spec: Pick<PrefetchSpec, 'repo' | 'commit' | 'selection'>,
  options: Parameters<Hub['listFiles']>[2]
): Promise<HubFile[]> {
  const files: HubFile[] = [];
  for await (const file of hub.listFiles(spec.repo, spec.commit, options)) files.push(file);
  return selectFiles(files, spec.selection);
}

type Verified = ReadonlyMap<string, { readonly digest: string; readonly etag: string }>;

/** What earlier runs verified, by path: from a manifest, and from plans with the records of their batches. */
async function findVerified(
  known: {
    spec: PrefetchSpec;
    store: ObjectStore;
    objects: ReadonlyMap<string, ObjectInfo>;
    oldPlans: readonly string[];
    published: PublishedDir | undefined;
  },
  options: RequestOptions
): Promise<Verified> {
  const verified = new Map<string, { digest: string; etag: string }>();
  const note = (file: { path: string; size: number; digest: Digest }, etag: string | undefined) => {
    if (etag === undefined || !isUnchanged(known.objects, { ...file, etag })) return;
    verified.set(file.path, { digest: digestKey(file.digest), etag });
  };
  for (const file of known.published?.manifest.files ?? []) note({ ...file, digest: digestOf(file) }, file.etag);
  for (const planId of known.oldPlans) {
    const plan = await readPlan(known.store, known.spec.dirKey, planId, options);
    // A run with another force number starts from nothing.
    if (plan === undefined || plan.force !== known.spec.force) continue;
    for (const file of plan.files) note(file, file.verifiedEtag);
    for (const { file, etag } of await readBatchRecords(known.store, known.spec.dirKey, plan, options)) {
      const planned = plan.files[file];
      if (planned !== undefined) note(planned, etag);
    }
  }
  return verified;
}

/** Objects of other Dirs of the same artifact, by digest: what a new commit did not change need not be fetched. */
async function findElsewhere(
  store: ObjectStore,
  spec: PrefetchSpec,
  options: RequestOptions
): Promise<Map<string, ObjectInfo>> {
  const elsewhere = new Map<string, ObjectInfo>();
  for await (const folder of store.listFolders(`${spec.artifactName}/`, options)) {
    const dirKey = `${spec.artifactName}/${folder}/`;
    if (dirKey === spec.dirKey) continue;
    const other = await readManifest(store, dirKey, options);
    for (const file of other?.manifest.files ?? []) {
      if (file.etag === undefined) continue;
      elsewhere.set(digestKey(digestOf(file)), { key: `${dirKey}${file.path}`, size: file.size, etag: file.etag });
    }
  }
  return elsewhere;
}

function planFile(
  file: HubFile,
  known: { objects: ReadonlyMap<string, ObjectInfo>; verified: Verified; elsewhere: ReadonlyMap<string, ObjectInfo> }
): PlannedFile {
  const planned: PlannedFile = { path: file.path, size: file.size, digest: file.digest };
  const verified = known.verified.get(file.path);
  if (verified?.digest === digestKey(file.digest)) return { ...planned, verifiedEtag: verified.etag };
  if (known.objects.has(file.path)) planned.present = true;
  const twin = known.elsewhere.get(digestKey(file.digest));
  if (twin !== undefined && twin.size === file.size && file.size > 0) {
    planned.copyFrom = { key: twin.key, etag: twin.etag };
  }
  return planned;
}

function digestOf(file: Manifest['files'][number]): Digest {
  return file.sha256 === undefined
    ? { algorithm: 'gitSha1', hex: file.gitSha1 ?? '' }
    : { algorithm: 'sha256', hex: file.sha256 };
}
