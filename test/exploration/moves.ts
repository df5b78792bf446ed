import { answer, describe, refusal, type Call, type Result } from './calls.js';
import { flipped } from './content.js';
import type { ProcessNode, ProcessTree } from './process-tree.js';
import { isForeignManifest, isGoodManifest } from './reader.js';
import type { Scenario } from './scenario.js';
import { afterStep, type Step, type Writer } from './steps.js';
import { listFolders, listObjects, type Applied, type StoreKind } from './store-kind.js';
import type { StoreState } from './store-state.js';
import { bytesOf } from './world.js';

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

/** One thing that may happen next. */
export interface Move {
  readonly label: () => string;
  readonly moment: Moment;
  /** What no process may ever do. */
  readonly faults: readonly string[];
  /** Runs that came to their end. */
  readonly ends: readonly { readonly writer: string; readonly code: string; readonly text: string }[];
}

export interface Setting {
  readonly scenario: Scenario;
  readonly kind: StoreKind;
  readonly tree: ProcessTree;
}

/** More attempts of one step than all faults of a schedule account for. */
const ATTEMPTS = 8;

const CHANGES = new Set<Call['op']>([
  'put',
  'delete',
  'copy',
  'createUpload',
  'takeOver',
  'partTarget',
  'putPart',
  'confirmPart',
  'completeUpload',
  'abortUpload',
]);

/** Everything that may happen at a moment. */
export async function movesAt(setting: Setting, moment: Moment): Promise<Move[]> {
  const fetching = moment.actors.findIndex(({ node }) => fetchOf(node) >= 0);
  // The Hub's bytes are nobody else's business, so that it does not matter when they come.
  if (fetching >= 0) return fetches(setting, moment, fetching);
  const moves: Move[] = [];
  const mayGoOn = moment.actors.some((actor) => nameOf(actor) === moment.last);
  for (const [position, actor] of moment.actors.entries()) {
    const switches = moment.left.switches - (mayGoOn && nameOf(actor) !== moment.last ? 1 : 0);
    if (switches < 0) continue;
    const at: Moment = { ...moment, last: nameOf(actor), left: { ...moment.left, switches } };
    for (const index of actor.node.pending.keys()) moves.push(...(await answers(setting, at, { position, index })));
    if (!actor.stalled) moves.push(...(await ends(setting, at, position)));
  }
  return moves;
}

function nameOf({ writer, stalled }: Actor): string {
  return stalled ? `${writer.name} (stalled)` : writer.name;
}

interface Pick {
  readonly position: number;
  readonly index: number;
}

/** The store answers one call: rightly, with an older list, or so that nobody hears it. */
async function answers(setting: Setting, moment: Moment, { position, index }: Pick): Promise<Move[]> {
  const { store, left, earlier, actors } = moment;
  const actor = actors[position];
  const call = actor?.node.pending[index];
  if (actor === undefined || call === undefined) return [];
  const { state, result, faults } = applied(setting, store, call);
  const label = (how: string) => () => `${nameOf(actor)}: ${describe(call)}${how}`;
  const after = { ...moment, store: state };
  const moves = [await give(setting, after, { position, index, result, label: label(` -> ${result.key}`), faults })];
  const changes = CHANGES.has(call.op);
  if (changes && left.staleLists > 0 && earlier === undefined && state.objects !== store.objects) {
    const frozen = { ...after, earlier: store };
    moves.push(
      await give(setting, frozen, { position, index, result, label: label('; lists may show the time before'), faults })
    );
  }
  if (changes && left.lostAnswers > 0) {
    const lost = { ...after, left: { ...left, lostAnswers: left.lostAnswers - 1 } };
    const answered = { position, index, result: refusal('StoreUnavailable'), label: label(', and the answer is lost') };
    moves.push(await give(setting, lost, { ...answered, faults }));
  }
  const stale = earlier === undefined || left.staleLists === 0 ? undefined : oldList(earlier, call);
  if (stale !== undefined && stale.key !== result.key) {
    const used = { ...moment, left: { ...left, staleLists: left.staleLists - 1 } };
    moves.push(await give(setting, used, { position, index, result: stale, label: label(', stale'), faults: [] }));
  }
  return moves;
}

function oldList(earlier: StoreState, call: Call): Result | undefined {
  if (call.op === 'list') return answer(listObjects(earlier, call.prefix));
  return call.op === 'listFolders' ? answer(listFolders(earlier, call.prefix)) : undefined;
}

/** A process dies, before or after the store did what it asked for, or is taken for dead. */
async function ends(setting: Setting, moment: Moment, position: number): Promise<Move[]> {
  const { left, actors, store } = moment;
  const actor = actors[position];
  if (actor === undefined) return [];
  const moves: Move[] = [];
  const successor = async (label: () => string, after: Moment, faults: readonly string[] = []): Promise<void> => {
    const { writer, step, attempt } = actor;
    const next = { writer, step, attempt: attempt + 1 };
    const node = await setting.tree.start(next);
    const others = after.actors.flatMap((each) => (each === actor ? [] : [each]));
    const fresh = { ...next, node, stalled: false };
    moves.push({ label, moment: { ...after, actors: [...others, fresh] }, faults, ends: [] });
  };
  if (left.kills > 0) {
    const killed = { ...moment, left: { ...left, kills: left.kills - 1 } };
    await successor(() => `${nameOf(actor)} is killed`, killed);
    for (const call of actor.node.pending) {
      if (!CHANGES.has(call.op)) continue;
      const { state, faults } = applied(setting, store, call);
      const label = (): string => `${nameOf(actor)} is killed after ${describe(call)}`;
      await successor(label, { ...killed, store: state }, faults);
    }
  }
  if (left.stalls > 0) {
    const stalled = { ...actor, stalled: true };
    const others = actors.with(position, stalled);
    await successor(() => `${nameOf(actor)} stalls`, {
      ...moment,
      actors: others,
      left: { ...left, stalls: left.stalls - 1 },
    });
  }
  return moves;
}

async function fetches(setting: Setting, moment: Moment, position: number): Promise<Move[]> {
  const { left, actors } = moment;
  const actor = actors[position];
  const index = actor === undefined ? -1 : fetchOf(actor.node);
  const call = actor?.node.pending[index];
  if (actor === undefined || call?.op !== 'fetch') return [];
  const bytes = bytesOf(setting.scenario.repo, call);
  const label = (): string => `${nameOf(actor)}: ${describe(call)}`;
  const right = { position, index, result: { ok: true, value: bytes, key: 'right' } as const, label, faults: [] };
  const moves = [await give(setting, moment, right)];
  if (left.flips > 0) {
    const wrong = { ...right, result: { ok: true, value: flipped(bytes), key: 'flipped' } as const };
    const after = { ...moment, left: { ...left, flips: left.flips - 1 } };
    moves.push(await give(setting, after, { ...wrong, label: () => `${label()}, with a flipped bit` }));
  }
  return moves;
}

function fetchOf({ pending }: ProcessNode): number {
  return pending.findIndex(({ op }) => op === 'fetch');
}

interface Given extends Pick {
  readonly result: Result;
  readonly label: () => string;
  readonly faults: readonly string[];
}

/** Hands an answer to a process, and goes on with the run where that ends a step. */
async function give(setting: Setting, moment: Moment, { position, index, result, label, faults }: Given): Promise<Move> {
  const actor = moment.actors[position];
  if (actor === undefined) throw new Error('nobody to answer');
  const node = await setting.tree.deliver(actor.node, index, result);
  const { next, ended } = await goOn(setting, { ...actor, node });
  const actors = moment.actors.flatMap((each) => (each === actor ? (next === undefined ? [] : [next]) : [each]));
  return { label, moment: { ...moment, actors }, faults, ends: ended === undefined ? [] : [ended] };
}

async function goOn(
  { tree }: Setting,
  actor: Actor
): Promise<{ readonly next: Actor | undefined; readonly ended?: Move['ends'][number] }> {
  const { writer, step, node, stalled } = actor;
  const { ending } = node;
  if (ending === undefined) return { next: actor };
  // Nobody waits any more for what it has to say.
  if (stalled) return { next: undefined };
  const { go, ...end } = afterStep(step, ending);
  if (go === 'end') return { next: undefined, ended: { writer: writer.name, code: '', text: '', ...end } };
  const attempt = go === 'again' ? actor.attempt + 1 : 0;
  if (attempt > ATTEMPTS) {
    const text = ending.ok ? '' : ending.text;
    return { next: undefined, ended: { writer: writer.name, code: 'GaveUp', text } };
  }
  const at = { writer, step: go === 'again' ? step : go, attempt };
  return { next: { ...at, node: await tree.start(at), stalled } };
}

interface Known extends Applied {
  readonly faults: readonly string[];
}

const outcomes = new WeakMap<Call, Map<StoreState, Known>>();

/** What a call does to a store: the same call meets the same store again and again. */
function applied({ kind }: Setting, store: StoreState, call: Call): Known {
  const known = outcomes.get(call) ?? new Map<StoreState, Known>();
  outcomes.set(call, known);
  const found = known.get(store);
  if (found !== undefined) return found;
  const { state, result } = kind.apply(store, call);
  const outcome = { state, result, faults: faultsOf(call, store, state) };
  known.set(store, outcome);
  return outcome;
}

/** What nobody may do to a manifest. */
function faultsOf(call: Call, before: StoreState, after: StoreState): string[] {
  if (call.op !== 'delete' && call.op !== 'put') return [];
  const { key } = call;
  if (isForeignManifest(before, key) && after.objects.get(key) !== before.objects.get(key)) {
    return [`foreign manifest: ${key} is another version's, and does not stay as it is`];
  }
  const withdrawn = call.op === 'delete' && isGoodManifest(before, key);
  return withdrawn ? [`withdrawn: ${key}, and all that it names is right`] : [];
}
