import type { Writer } from './steps.js';
import type { StoreKind } from './store-kind.js';
import type { StoreState } from './store-state.js';
import type { Repo } from './world.js';

/** How much may happen in one schedule besides the calls of its writers. */
export interface Bounds {
  /** Processes that die, before or after the store did what they asked for last; another one takes up the step. */
  readonly kills: number;
  /** Processes that are taken for dead while they go on. */
  readonly stalls: number;
  /** Reads from the Hub that give a flipped bit. */
  readonly flips: number;
  /** Answers of the store that get lost: it did what was asked, and the process hears that it is not available. */
  readonly lostAnswers: number;
  /** Lists that are answered as the store was at some earlier moment. */
  readonly staleLists: number;
  /** How often a process is interrupted by another where it could go on; undefined for any number. */
  readonly switches: number | undefined;
}

/** Writers at work on one store. */
export interface Scenario {
  readonly name: string;
  readonly repo: Repo;
  readonly writers: readonly Writer[];
  /** What lies in the store before. */
  readonly before: (kind: StoreKind) => StoreState;
  readonly bounds: Bounds;
  /** Of the form that runs for hours; others than in the short form. */
  readonly longBounds?: Partial<Bounds>;
  /** How runs may end that end without a Dir. */
  readonly mayEnd?: readonly string[];
  /** Whether a run of its own afterwards publishes every Dir; a manifest that nobody may touch keeps it from that. */
  readonly endsPublished?: false;
}
