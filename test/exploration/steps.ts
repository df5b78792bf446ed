import { planPrefetch } from '../../src/steps/plan-prefetch.js';
import { publishDir } from '../../src/steps/publish-dir.js';
import { transferBatch } from '../../src/steps/transfer-batch.js';
import type { PlanOutcome, PlanSummary } from '../../src/core/contract.js';
import { isErrorCode, isPermanent } from '../../src/core/errors.js';
import { createEngine } from '../../src/transfer/engine.js';
import { contentOfText } from './content.js';
import type { Ending, ProcessPort } from './process.js';
import type { StoreKind } from './store-kind.js';
import { openStoreOf } from './store-port.js';
import { hubOf, PART_SIZE, specOf, type Repo } from './world.js';

/** A run of one Dir. */
export interface Writer {
  readonly name: string;
  readonly commit: string;
  readonly force?: number;
  /** Nothing happens to it in the short form: another run is as this one, so that most is seen when that one meets it. */
  readonly spared?: true;
}

/** Where a run stands: what outlives its processes, as the history of a workflow does. */
export type Step =
  | { readonly kind: 'plan'; readonly round: number }
  | { readonly kind: 'transfer'; readonly round: number; readonly plan: PlanSummary; readonly batch: number }
  | { readonly kind: 'publish'; readonly round: number; readonly plan: PlanSummary };

export const FIRST_STEP: Step = { kind: 'plan', round: 0 };

/** How often a run plans anew, as in the workflow. */
const PLANS_ANEW = 3;

/** One activity of the package, in a process of its own. */
export function takeStep(
  { writer, step }: { readonly writer: Writer; readonly step: Step },
  { kind, repo }: { readonly kind: StoreKind; readonly repo: Repo },
  port: ProcessPort
): Promise<unknown> {
  const { signal } = new AbortController();
  const store = openStoreOf(port, kind);
  const { commit, force } = writer;
  const spec = specOf(commit, { root: store.root, ...(force === undefined ? {} : { force }) });
  const engine = createEngine({ partSizeBytes: PART_SIZE, lanes: 1, memoryBytes: 4 * PART_SIZE });
  const needs = {
    hub: hubOf(repo, port),
    engine,
    openStore: () => Promise.resolve(store),
    readToken: () => Promise.resolve(undefined),
    transferMode: 'stream' as const,
    tool: { name: 'exploration', version: '0' },
    moveFile: engine.transferFile.bind(engine),
  };
  switch (step.kind) {
    case 'plan':
      return planPrefetch(needs, spec, { signal });
    case 'transfer': {
      const request = { spec, planId: step.plan.planId, batch: step.batch };
      return transferBatch(needs, request, { signal, onProgress: () => undefined });
    }
    case 'publish':
      return publishDir(needs, spec, step.plan, { signal, now: timeOf(port.token()) });
  }
}

/** No two processes publish in the same millisecond. */
function timeOf(token: string): Date {
  return new Date(parseInt(contentOfText(token).sha256.slice(0, 10), 16));
}

/** What a run does after a step: another one, the same again, or nothing. */
export type Next =
  | { readonly go: Step }
  | { readonly go: 'again' }
  | { readonly go: 'end'; readonly code: string; readonly text: string };

/** The story of a run, as `prefetchModel` tells it. */
export function afterStep(step: Step, ending: Ending): Next {
  if (!ending.ok) {
    if (ending.code === 'ObjectChanged' && step.kind !== 'plan' && step.round < PLANS_ANEW) {
      return { go: { kind: 'plan', round: step.round + 1 } };
    }
    const passing = isErrorCode(ending.code) && !isPermanent(ending.code);
    return passing ? { go: 'again' } : { go: 'end', code: ending.code, text: ending.text };
  }
  const { round } = step;
  if (step.kind === 'publish') return { go: 'end', code: 'published', text: '' };
  if (step.kind === 'plan') {
    const outcome = ending.value as PlanOutcome;
    if (outcome.kind === 'hit') return { go: 'end', code: 'hit', text: '' };
    return { go: nextBatch(outcome.plan, { round, batch: 0 }) };
  }
  return { go: nextBatch(step.plan, { round, batch: step.batch + 1 }) };
}

function nextBatch(plan: PlanSummary, { round, batch }: { readonly round: number; readonly batch: number }): Step {
  return batch < plan.batchCount ? { kind: 'transfer', round, plan, batch } : { kind: 'publish', round, plan };
}
