import { randomBytes } from 'node:crypto';
import { planBatches } from '../core/batches.js';
import type { PlanOutcome, PlanSummary, PrefetchSpec } from '../core/contract.js';
import { isPrefetchError } from '../core/errors.js';
import { planKey } from '../core/keys.js';
import type { Plan, PlannedFile } from '../core/schemas/plan.js';
import { writeJson } from '../dir/json-objects.js';
import { openDir } from '../dir/open-dir.js';
import type { ObjectStore } from '../storage/object-store.js';
import type { ActivityDependencies } from './dependencies.js';
import type { Hit } from './check-hit.js';
import { requireCheckpoint } from './require-checkpoint.js';
import { isOfSpec, surveyDir } from './survey.js';
import { tidyFoundDir } from './tidy-dir.js';

type Needs = Pick<ActivityDependencies, 'hub' | 'openStore' | 'readToken' | 'transferMode' | 'warn'>;

/** Finds the published Dir, or writes the plan of what is missing. */
export async function planPrefetch(
  { hub, openStore, readToken, transferMode, warn }: Needs,
  spec: PrefetchSpec,
  options: { readonly signal: AbortSignal }
): Promise<PlanOutcome> {
  const store = await openStore(spec.destination);
  const token = await readToken(spec.hfTokenKey);
  const survey = await surveyDir(
    { spec, store, hub, token },
    { ...options, mayRepair: (manifest) => isOfSpec(spec, manifest) }
  );
  if (survey.kind === 'hit') {
    if (survey.unchecked !== undefined) warn?.(notCompleted(survey, survey.unchecked));
    await tidyFoundDir({ store, dirKey: spec.dirKey }, survey, { ...options, warn });
    return { kind: 'hit', dir: survey.dir };
  }

  if (survey.completes === undefined)
    requireCheckpoint(
      spec,
      survey.files.map(({ path }) => path)
    );
  const plan = makePlan(spec, survey.files);
  try {
    await writePlan(store, spec, plan, options);
  } catch (error) {
    // A Dir that is served from a store that may only be read stays a hit.
    if (survey.completes === undefined || !isPrefetchError(error)) throw error;
    warn?.(notCompleted(survey.completes, error.text));
    return { kind: 'hit', dir: survey.completes.dir };
  }
  if (survey.withdraw !== undefined) await openDir(store, spec.dirKey).withdraw(survey.withdraw, options);
  const summary = summarise(plan, transferMode === 'download-upload');
  return {
    kind: 'fetch',
    plan: { ...summary, ...(survey.completes === undefined ? {} : { served: survey.completes.dir }) },
  };
}

/** The plan carries over what the manifest knew, so the manifest may go only once the plan is there. */
async function writePlan(
  store: ObjectStore,
  { dirKey }: PrefetchSpec,
  plan: Plan,
  options: { readonly signal: AbortSignal }
): Promise<void> {
  await store.checkWritable({ ...options, bytes: newBytes(plan) });
  await writeJson(store, planKey(dirKey, plan.planId), plan, options);
}

function notCompleted({ dir }: Hit, why: string): string {
  return (
    `${dir.path} is served as it is. It may lack files that its selection takes by now, ` +
    `which cannot be found out or brought: ${why}`
  );
}

function makePlan(spec: PrefetchSpec, files: readonly PlannedFile[]): Plan {
  const missing = [...files.entries()].filter(([, file]) => file.verifiedEtag === undefined);
  return {
    version: 1,
    // Never that of an earlier plan: what its batches verified is looked at above, and may be gone since.
    planId: randomBytes(8).toString('hex'),
    commit: spec.commit,
    ...(spec.force === undefined ? {} : { force: spec.force }),
    files: [...files],
    batches: planBatches(new Map(missing.map(([position, file]) => [position, file.size]))),
  };
}

function summarise(plan: Plan, downloadUpload: boolean): PlanSummary {
  const missing = plan.files.filter((file) => file.verifiedEtag === undefined);
  return {
    planId: plan.planId,
    batchCount: plan.batches.length,
    fileCount: plan.files.length,
    totalBytes: bytesOf(plan.files),
    fetchFiles: missing.length,
    fetchBytes: bytesOf(missing),
    copyBytes: bytesOf(missing.filter((file) => file.copyFrom !== undefined)),
    downloadUpload,
  };
}

/** What needs room in the store: a file that is there is kept, or replaced by one of its size. */
function newBytes(plan: Plan): number {
  return bytesOf(plan.files.filter(({ verifiedEtag, present }) => verifiedEtag === undefined && present !== true));
}

function bytesOf(files: readonly PlannedFile[]): number {
  return files.reduce((total, file) => total + file.size, 0);
}
