import { canonicalJson } from '../core/canonical-json.js';
import { compact } from '../core/compact.js';
import type { Manifest, ManifestFile, PrefetchSpec } from '../core/contract.js';
import { digestKey, type Digest } from '../core/digest.js';
import { rewrap, type PrefetchError } from '../core/errors.js';
import { planIdOf, plansPrefix } from '../core/keys.js';
import type { PlannedFile } from '../core/schemas/plan.js';
import { isUnchanged, type DirObjects } from '../dir/dir-objects.js';
import type { InspectedDir, InspectOptions } from '../dir/inspect-dir.js';
import { openDir, type StoredDir } from '../dir/open-dir.js';
import { readBatchRecords, readPlan } from '../dir/plan-objects.js';
import { digestOf, isTrusted, type PublishedDir } from '../dir/published-dir.js';
import type { Hub, HubFile, HubOptions } from '../hub/hub.js';
import type { ObjectStore, RequestOptions } from '../storage/object-store.js';
import { checkHit, isUnwell, type Hit } from './check-hit.js';
import { findElsewhere, type Twin } from './find-elsewhere.js';
import { listWithNamed, type ListedRepo } from './list-repo.js';
import { asVouched, namesOnly } from './named-files.js';

/** What the store and the Hub say about a Dir; nothing of the model is written. */
export type Survey =
  | Hit
  | {
      readonly kind: 'work';
      readonly files: readonly PlannedFile[];
      /** A manifest that promises what is not there, or what will be replaced: it must go before anything else happens. */
      readonly withdraw: PublishedDir | undefined;
      /** A good Dir that lacks what the selection takes by now: it is a hit until the work is done, or if it cannot be. */
      readonly completes?: Hit;
    };

/** Which model is looked for, and where. */
export interface SurveyRequest {
  readonly spec: PrefetchSpec;
  readonly store: ObjectStore;
  readonly hub: Hub;
  readonly token: string | undefined;
}

/** Finds the published Dir, or says for every file whether it is there, can be copied, or has to come from the Hub. */
export async function surveyDir(request: SurveyRequest, options: InspectOptions): Promise<Survey> {
  const { spec, store, hub } = request;
  const dir = openDir(store, spec.dirKey);
  const inspected = await dir.inspect(options);
  const hit = asHit(dir, spec, inspected);
  if (hit === undefined) {
    const listed = await list(request, inspected, options).catch((error: unknown) => {
      // It did not answer when the run began either; by the next try it may.
      throw spec.hubAnswered || !isUnwell(error) ? error : incomplete(spec, hub, error);
    });
    return planWork({ spec, store, inspected, listed, hit }, options);
  }
  // What lies there and is not in the manifest may be a user's own file, or one that the manifest should name.
  const isOurs = hit.manifest.repo === spec.repo && strays(inspected).length === 0;
  const doubtful = { spec, hub, hit, isOurs, list: (inner: HubOptions) => list(request, inspected, inner) };
  const checked = await checkHit(doubtful, options);
  return checked.kind === 'hit' ? checked : planWork({ spec, store, inspected, listed: checked.listed, hit }, options);
}

/** What the Hub says of the commit, as far as it can be compared with what is there. */
async function list(
  { spec, hub, token }: SurveyRequest,
  inspected: InspectedDir,
  { signal }: HubOptions
): Promise<ListedRepo> {
  const manifest = inspected.published?.manifest;
  const named = new Set(manifest?.files.map(({ path }) => path));
  const options = { named, ...compact({ token, signal }) };
  const { selected, known } = await listWithNamed(hub, spec, options);
  // For another repo, only equal digests say that it has the same bytes.
  const vouched = manifest?.repo === spec.repo ? verifiedFiles(spec, inspected) : [];
  return { selected: asVouched(selected, vouched), known: asVouched(known, vouched) };
}

function incomplete({ repo, commit }: PrefetchSpec, { endpoint }: Hub, error: PrefetchError): PrefetchError {
  return rewrap(error, {
    text: `${repo}@${commit} is not complete in the store, and ${endpoint} does not answer: ${error.text}`,
  });
}

/**
 * Whether the manifest is one of this request: a Dir may have been moved or copied here by anybody. The repo may be another
 * one: a copy of a repo has its commits, which stand for the same bytes, and each of the two is told its own name.
 */
export function isOfSpec(spec: PrefetchSpec, manifest: Manifest): boolean {
  const { commit, artifactName, selection, format, files, fileCount, totalBytes } = manifest;
  return (
    isTrusted(spec, manifest) &&
    format === 'huggingface' &&
    commit === spec.commit &&
    artifactName === spec.artifactName &&
    canonicalJson(selection) === canonicalJson(spec.selection) &&
    files.length > 0 &&
    files.length === fileCount &&
    new Set(files.map(({ path }) => path)).size === fileCount &&
    files.reduce((total, { size }) => total + size, 0) === totalBytes
  );
}

function asHit(dir: StoredDir, spec: PrefetchSpec, { intact, published, objects }: InspectedDir): Hit | undefined {
  if (!intact || !isOfSpec(spec, published.manifest)) return undefined;
  return { kind: 'hit', dir: dir.describe(published, spec), manifest: published.manifest, objects };
}

function strays({ published, objects }: InspectedDir): string[] {
  const named = new Set(published?.manifest.files.map(({ path }) => path));
  return [...objects.keys()].filter((path) => !named.has(path) && !path.startsWith(plansPrefix('')));
}

interface Known {
  readonly spec: PrefetchSpec;
  readonly store: ObjectStore;
  readonly inspected: InspectedDir;
  readonly listed: ListedRepo;
  readonly hit: Hit | undefined;
}

async function planWork(known: Known, options: RequestOptions): Promise<Survey> {
  const { spec, store, inspected, listed, hit } = known;
  const { objects, published, intact } = inspected;
  // A good manifest stays while a run replaces its objects one by one by equal bytes.
  const stays = intact && namesOnly(published.manifest, listed.known);
  const completes = stays ? hit : undefined;
  // What a good Dir has stays in it, also where the selection would not take it any more.
  const listing = completes === undefined ? listed.selected : listed.known;
  const verified = await findVerified(known, options);
  const missing = listing.filter(({ path, digest }) => verified.get(path)?.digest !== digestKey(digest));
  const elsewhere =
    spec.force === undefined ? await findElsewhere(store, spec, missing, options) : new Map<string, Twin>();
  return {
    kind: 'work',
    files: listing.map((file) => planFile(file, { objects, verified, elsewhere })),
    withdraw: stays ? undefined : published,
    ...(completes === undefined ? {} : { completes }),
  };
}

/** The files that a manifest of this commit names and that lie there as it says; the repo may be another one. */
function verifiedFiles(spec: PrefetchSpec, { objects, published }: InspectedDir): ManifestFile[] {
  if (published?.manifest.commit !== spec.commit || !isTrusted(spec, published.manifest)) return [];
  return published.manifest.files.filter((file) => file.etag !== undefined && isUnchanged(objects, file));
}

type Verified = ReadonlyMap<string, { readonly digest: string; readonly etag: string }>;

/** What earlier runs verified, by path: from a manifest, and from plans with the records of their batches. */
async function findVerified({ spec, store, inspected }: Known, options: RequestOptions): Promise<Verified> {
  const { objects } = inspected;
  const verified = new Map<string, { digest: string; etag: string }>();
  const note = (file: { path: string; size: number; digest: Digest }, etag: string | undefined) => {
    if (etag === undefined || !isUnchanged(objects, { ...file, etag })) return;
    verified.set(file.path, { digest: digestKey(file.digest), etag });
  };
  for (const file of verifiedFiles(spec, inspected)) note({ ...file, digest: digestOf(file) }, file.etag);
  for (const planId of [...objects.values()].flatMap(({ key }) => planIdOf(spec.dirKey, key) ?? [])) {
    const plan = await readPlan(store, spec.dirKey, planId, options);
    // A run with another force number starts from nothing.
    if (plan === undefined || plan.force !== spec.force) continue;
    for (const file of plan.files) note(file, file.verifiedEtag);
    for (const { file, etag } of await readBatchRecords(store, spec.dirKey, plan, options)) {
      const planned = plan.files[file];
      if (planned !== undefined) note(planned, etag);
    }
  }
  return verified;
}

function planFile(
  file: HubFile,
  known: { objects: DirObjects; verified: Verified; elsewhere: ReadonlyMap<string, Twin> }
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
