import type { Dir, Manifest, PrefetchSpec } from '../core/contract.js';
import { isPrefetchError, PrefetchError } from '../core/errors.js';
import type { DirObjects } from '../dir/dir-objects.js';
import type { Hub } from '../hub/hub.js';
import { withPatience } from '../tasks/with-patience.js';
import type { ListedRepo } from './list-repo.js';
import { contradiction, namesAll, namesOnly } from './named-files.js';
import { rememberSome, rememberSomeFor } from './remember-some.js';

/** A published Dir that is what the request asks for. */
export interface Hit {
  readonly kind: 'hit';
  readonly dir: Dir;
  readonly manifest: Manifest;
  readonly objects: DirObjects;
  /** Why nobody knows whether it lacks a file that the selection takes by now. */
  readonly unchecked?: string;
}

/** A hit that may lack something, and how the Hub is asked for it. */
interface DoubtfulHit {
  readonly spec: PrefetchSpec;
  readonly hub: Hub;
  readonly hit: Hit;
  /** Its manifest is one of this repo, and nothing lies there that it does not name. */
  readonly isOurs: boolean;
  readonly list: (options: { readonly signal: AbortSignal }) => Promise<ListedRepo>;
}

/** What is served, or what the Hub lists otherwise. */
type CheckedHit = Hit | { readonly kind: 'differs'; readonly listed: ListedRepo };

interface Options {
  readonly signal?: AbortSignal | undefined;
}

/** A hit is good without this list, so it is not waited for as long as one that is needed. */
const PATIENCE_MS = 8_000;
const FAILURE_MS = 5 * 60_000;

/** Manifests that name all that their selection takes of a repo: a commit never changes, so the Hub is asked once. */
const complete = rememberSome(1000);
/** What became of hits that could not be checked, so that the next one does not wait as long again. */
const failed = rememberSomeFor<Pick<Hit, 'unchecked'>>(FAILURE_MS, 1000);

/** Asks the Hub whether a hit has all that its request takes by now, where nobody knows. */
export async function checkHit(doubtful: DoubtfulHit, options: Options): Promise<CheckedHit> {
  const { spec, hub, hit, isOurs } = doubtful;
  if (!needsListing(doubtful)) return hit;
  if (!spec.hubAnswered) return { ...hit, ...unchecked(spec, `${hub.endpoint} does not answer`) };
  const before = failed.get(failureKey(doubtful));
  if (before !== undefined) return { ...hit, ...before };
  try {
    return judge(doubtful, await listInTime(doubtful, options));
  } catch (error) {
    options.signal?.throwIfAborted();
    // Neither a file of a user nor one that may be lacking is a reason to wait for a Hub that is unwell.
    if (!isPrefetchError(error) || !(isOurs || isUnwell(error))) throw error;
    return notChecked(doubtful, unchecked(spec, error.text));
  }
}

/** Whether the Hub did not answer, or not as a Hub; what it refused counts. */
export function isUnwell(error: unknown): error is PrefetchError {
  return isPrefetchError(error) && (!error.permanent || error.code === 'HubProtocol');
}

/** An earlier release may have selected less for vLLM, and a copy of a repo may differ from it. The Hub knows. */
function needsListing({ spec, hit, isOurs }: DoubtfulHit): boolean {
  return (!isOurs || spec.selection.kind === 'vllm') && !complete.has(completeKey(spec, hit));
}

function listInTime({ spec: { repo, commit }, hub, list }: DoubtfulHit, { signal }: Options): Promise<ListedRepo> {
  const late = () =>
    new PrefetchError(
      'HubUnavailable',
      `${hub.endpoint} did not list ${repo}@${commit} within ${String(PATIENCE_MS / 1000)} s`
    );
  return withPatience({ ms: PATIENCE_MS, signal, late }, list);
}

function judge(doubtful: DoubtfulHit, listed: ListedRepo): CheckedHit {
  const { spec, hub, hit } = doubtful;
  const { manifest } = hit;
  const isOfRepo = manifest.repo === spec.repo;
  // One that another repo gave its name has to name just what this one has.
  if (namesAll(manifest, listed.selected) && (isOfRepo || namesOnly(manifest, listed.known))) {
    complete.add(completeKey(spec, hit));
    return hit;
  }
  const wrong = isOfRepo ? contradiction(manifest, listed.known) : undefined;
  if (wrong === undefined) return { kind: 'differs', listed };
  // A commit never changes, and the objects are what was verified when this repo had listed it.
  return notChecked(doubtful, { unchecked: `${hub.endpoint} ${wrong}, though a commit never changes` });
}

function notChecked(doubtful: DoubtfulHit, why: Pick<Hit, 'unchecked'>): Hit {
  failed.set(failureKey(doubtful), why);
  return { ...doubtful.hit, ...why };
}

function unchecked({ selection }: PrefetchSpec, why: string): Pick<Hit, 'unchecked'> {
  return selection.kind === 'vllm' ? { unchecked: why } : {};
}

function completeKey({ repo }: PrefetchSpec, { dir }: Hit): string {
  return `${repo} ${dir.manifestDigest}`;
}

/** Another token may be told more, and another Hub. */
function failureKey({ spec, hub, hit }: DoubtfulHit): string {
  return `${completeKey(spec, hit)} ${spec.hfTokenKey ?? ''} ${hub.endpoint}`;
}
