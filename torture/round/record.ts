import type { RoundPlan } from '../plan/round-plan.js';

/** Something that must never be. */
export interface Violation {
  readonly kind: string;
  readonly detail: string;
  readonly time?: string;
}

/** What one round came to: a line of the report. */
export interface RoundRecord {
  readonly seed: number;
  readonly round: number;
  readonly store: string;
  readonly scenario: string;
  readonly ms: number;
  readonly violations: readonly Violation[];
  readonly kills: number;
  readonly stops: number;
  readonly terms: number;
  readonly servers: number;
  readonly moves: number;
  readonly missedEvents: number;
  /** Requests that went wrong on purpose, at the Hub and at the store. */
  readonly faults: number;
  /** Commands and workers that were started again. */
  readonly retries: number;
  readonly endings: Readonly<Record<string, number>>;
  readonly checks: number;
  readonly objectsRead: number;
  readonly cdnBytes: number;
  /** What one fetch of everything asked for comes to. */
  readonly neededBytes: number;
  /** Fetched more than once, less what was fetched again on purpose; of rounds with one writer at a time. */
  readonly refetchedBytes?: number;
  /** All choices and what happened, of rounds that failed. */
  readonly plan?: RoundPlan;
  readonly log?: readonly string[];
}

/** The record of a round of which nothing is known but its end. */
export function emptyRecord(
  plan: RoundPlan,
  { violations, ms }: { readonly violations: readonly Violation[]; readonly ms: number }
): RoundRecord {
  const { seed, round, store, scenario } = plan;
  const nothing = { kills: 0, stops: 0, terms: 0, servers: 0, moves: 0, missedEvents: 0, faults: 0, retries: 0 };
  const read = { checks: 0, objectsRead: 0, cdnBytes: 0, neededBytes: 0 };
  return { ...{ seed, round, store, scenario, ms, violations, plan }, ...nothing, ...read, endings: {} };
}
