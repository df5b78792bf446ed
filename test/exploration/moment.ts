import { describe, type Call } from './calls.js';
import type { ProcessNode, ProcessTree } from './process-tree.js';
import type { Scenario } from './scenario.js';
import type { Step, Writer } from './steps.js';
import type { StoreKind } from './store-kind.js';
import type { StoreState } from './store-state.js';

/** What stays the same in an exploration. */
export interface Setting {
  readonly scenario: Scenario;
  readonly kind: StoreKind;
  readonly tree: ProcessTree;
}

/** A process of a run, at work on one step. */
export interface Actor {
  readonly writer: Writer;
  readonly step: Step;
  readonly attempt: number;
  readonly node: ProcessNode;
  /** Somebody else took up its step, and it goes on all the same. */
  readonly stalled: boolean;
}

/** What may still happen in a schedule. */
export interface Left {
  readonly kills: number;
  readonly stalls: number;
  readonly flips: number;
  readonly lostAnswers: number;
  readonly staleLists: number;
  readonly switches: number;
}

/** All there is at one moment. */
export interface Moment {
  readonly store: StoreState;
  /** What lists may still show. */
  readonly earlier: StoreState | undefined;
  readonly actors: readonly Actor[];
  readonly left: Left;
  /** Whose process moved last. */
  readonly last: string;
}

/** What happened, as data: only few are ever told. */
export interface Event {
  readonly who: Actor;
  readonly call?: Call;
  readonly how: string;
}

/** A run that came to its end. */
export interface RunEnd {
  readonly writer: string;
  readonly code: string;
  readonly text: string;
}

/** One thing that may happen next. */
export interface Move {
  readonly event: Event;
  readonly moment: Moment;
  /** What no process may ever do. */
  readonly faults: readonly string[];
  readonly end: RunEnd | undefined;
}

export function nameOf({ writer, stalled }: Actor): string {
  return stalled ? `${writer.name} (stalled)` : writer.name;
}

export function tell({ who, call, how }: Event): string {
  return [`${nameOf(who)},`, who.step.kind, call === undefined ? '' : describe(call), how]
    .filter((word) => word !== '')
    .join(' ');
}

/** Nobody is left who must move: whoever is stalled, or was to take up a step, may as well never move again. */
export function isFinal({ actors }: Moment): boolean {
  return actors.every(({ stalled, node, attempt }) => stalled || (node.isFirst && attempt > 0));
}

/** Moments from which the same can happen have the same key. */
export function keyOf({ store, earlier, actors, left, last }: Moment): string {
  let who = '';
  for (const { node, stalled } of actors) who += stalled ? `-${node.id},` : `${node.id},`;
  const { kills, stalls, flips, lostAnswers, staleLists, switches } = left;
  // Who moved last matters only where it is counted how often that changes.
  const moved = switches === Infinity ? '' : `${switches}${last}`;
  return `${store.id}|${earlier?.id ?? ''}|${who}|${kills}${stalls}${flips}${lostAnswers}${staleLists}|${moved}`;
}
