import { canonicalJson } from '../core/canonical-json.js';
import type { Dir, Manifest, PrefetchSpec } from '../core/contract.js';
import { digestKey, type Digest } from '../core/digest.js';
import { isPrefetchError, rewrap, type PrefetchError } from '../core/errors.js';
import { planIdOf, plansPrefix } from '../core/keys.js';
import type { PlannedFile } from '../core/schemas/plan.js';
import { isUnchanged, type DirObjects } from '../dir/dir-objects.js';
import type { InspectedDir, InspectOptions } from '../dir/inspect-dir.js';
import { openDir, type StoredDir } from '../dir/open-dir.js';
import { readBatchRecords, readPlan } from '../dir/plan-objects.js';
import { digestOf, isTrusted, type PublishedDir } from '../dir/published-dir.js';
import { completeFiles } from '../hub/complete-files.js';
import type { Hub, HubFile, ListedFile } from '../hub/hub.js';
import { selectFiles } from '../hub/select-files.js';
import type { ObjectStore, RequestOptions } from '../storage/object-store.js';
import { findElsewhere, type Twin } from './find-elsewhere.js';
import { rememberSome } from './remember-some.js';

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

/** A published Dir that is what the request asks for. */
export interface Hit {
  readonly kind: 'hit';
  readonly dir: Dir;
  readonly manifest: Manifest;
  readonly objects: DirObjects;
  /** Why nobody knows whether it lacks a file that the selection takes by now. */
  readonly unchecked?: string;
}

/** Which model is looked for, and where. */
export interface SurveyRequest {
  readonly spec: PrefetchSpec;
  readonly store: ObjectStore;
  readonly hub: Hub;
  readonly token: string | undefined;
}

/** Finds the published Dir, or says for every file whether it is there, can be copied, or has to come from the Hub. */
export async function surveyDir({ spec, store, hub, token }: SurveyRequest, options: InspectOptions): Promise<Survey> {
  const dir = openDir(store, spec.dirKey);
  const inspected = await dir.inspect(options);
  const hit = asHit(dir, spec, inspected);
  // What lies there and is not in the manifest may be a user's own file, or one that the manifest should name.
  const isOurs = hit?.manifest.repo === spec.repo && strays(inspected).length === 0;
  if (hit !== undefined && !needsListing(spec, hit, isOurs)) return hit;
  if (hit !== undefined && !spec.hubAnswered) return unchecked(spec, hit, `${hub.endpoint} does not answer`);
  let listed: ListedRepo;
  try {
    const named = new Set(inspected.published?.manifest.files.map(({ path }) => path));
    listed = await listWithNamed(hub, spec, { ...options, named, ...(token === undefined ? {} : { token }) });
  } catch (error) {
    // Neither a file of a user nor one that may be lacking is a reason to wait for a Hub that is unwell.
    if (hit !== undefined && isPrefetchError(error) && (isOurs || isUnwell(error))) {
      return unchecked(spec, hit, error.text);
    }
    // It did not answer when the run began either; by the next try it may.
    throw spec.hubAnswered || !isUnwell(error) ? error : incomplete(spec, hub, error);
  }
  if (hit !== undefined && isListed(hit.manifest, { spec, listed })) {
    complete.add(completeKey(spec, hit));
    return hit;
  }
  return planWork({ spec, store, inspected, listed, hit }, options);
}

/** Manifests that name all that their selection takes of a repo: a commit never changes, so the Hub is asked once. */
const complete = rememberSome(1000);

function completeKey({ repo }: PrefetchSpec, { dir }: Hit): string {
  return `${repo} ${dir.manifestDigest}`;
}

/** An earlier release may have selected less for vLLM, and a copy of a repo may differ from it. The Hub knows. */
function needsListing(spec: PrefetchSpec, hit: Hit, isOurs: boolean): boolean {
  return (!isOurs || spec.selection.kind === 'vllm') && !complete.has(completeKey(spec, hit));
}

function unchecked({ selection }: PrefetchSpec, hit: Hit, why: string): Hit {
  return selection.kind === 'vllm' ? { ...hit, unchecked: why } : hit;
}

/** Whether the Hub did not answer, or not as a Hub; what it refused counts. */
function isUnwell(error: unknown): error is PrefetchError {
  return isPrefetchError(error) && (!error.permanent || error.code === 'HubProtocol');
}

function incomplete({ repo, commit }: PrefetchSpec, { endpoint }: Hub, error: PrefetchError): PrefetchError {
  return rewrap(error, {
    text: `${repo}@${commit} is not complete in the store, and ${endpoint} does not answer: ${error.text}`,
  });
}

/** Whether a manifest is what the Hub lists; one that another repo gave its name has to name just that. */
function isListed(manifest: Manifest, { spec, listed }: Pick<Known, 'spec' | 'listed'>): boolean {
  return namesAll(manifest, listed.selected) && (manifest.repo === spec.repo || namesOnly(manifest, listed.known));
}

type Asked = Pick<PrefetchSpec, 'repo' | 'commit' | 'selection'>;

/** The files of the commit that the selection takes, with the digests that their bytes must come to. */
export async function listRepo(
  hub: Hub,
  spec: Asked,
  options: Parameters<Hub['listFiles']>[2]
): Promise<readonly HubFile[]> {
  return (await listWithNamed(hub, spec, { ...options, named: new Set() })).selected;
}

/** All files of the commit, unchecked; a mirror may say nothing but their names. */
export async function listAll(
  hub: Hub,
  { repo, commit }: Asked,
  options: Parameters<Hub['listFiles']>[2]
): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  for await (const file of hub.listFiles(repo, commit, options)) files.push(file);
  return files;
}

interface ListedRepo {
  readonly selected: readonly HubFile[];
  /** These, and what the manifest names beside them. */
  readonly known: readonly HubFile[];
}

async function listWithNamed(
  hub: Hub,
  spec: Asked,
  { named, ...options }: NonNullable<Parameters<typeof listAll>[2]> & { readonly named: ReadonlySet<string> }
): Promise<ListedRepo> {
  const all = await listAll(hub, spec, options);
  const taken = new Set(selectFiles(all, spec.selection).map(({ path }) => path));
  const files = all.filter(({ path }) => taken.has(path) || named.has(path));
  const known = await completeFiles(hub, spec, { ...options, files });
  return { known, selected: known.filter(({ path }) => taken.has(path)) };
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

/** Whether a manifest names all files that are wanted, with their digests. */
export function namesAll({ files }: Manifest, listing: readonly Pick<HubFile, 'path' | 'digest'>[]): boolean {
  const named = new Map(files.map((file) => [file.path, digestKey(digestOf(file))]));
  return listing.every(({ path, digest }) => named.get(path) === digestKey(digest));
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

/** Whether all that a manifest names is what the Hub lists, so that nothing under it will come to other bytes. */
function namesOnly({ files }: Manifest, listing: readonly HubFile[]): boolean {
  const listed = new Map(listing.map(({ path, digest }) => [path, digestKey(digest)]));
  return files.length > 0 && files.every((file) => listed.get(file.path) === digestKey(digestOf(file)));
}

type Verified = ReadonlyMap<string, { readonly digest: string; readonly etag: string }>;

/** What earlier runs verified, by path: from a manifest, and from plans with the records of their batches. */
async function findVerified(
  { spec, store, inspected: { objects, published } }: Known,
  options: RequestOptions
): Promise<Verified> {
  const verified = new Map<string, { digest: string; etag: string }>();
  const note = (file: { path: string; size: number; digest: Digest }, etag: string | undefined) => {
    if (etag === undefined || !isUnchanged(objects, { ...file, etag })) return;
    verified.set(file.path, { digest: digestKey(file.digest), etag });
  };
  // One repo may have two names; the objects of a commit are the same under both.
  const vouches = published?.manifest.commit === spec.commit && isTrusted(spec, published.manifest);
  const named = vouches ? published.manifest.files : [];
  for (const file of named) note({ ...file, digest: digestOf(file) }, file.etag);
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
