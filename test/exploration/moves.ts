import { applyCall, changes } from './apply-call.js';
import { answer, refusal, type Call, type Result } from './calls.js';
import { flipped } from './content.js';
import { nameOf, type Actor, type Moment, type Move, type RunEnd, type Setting } from './moment.js';
import { lastRead, type ProcessNode } from './process-tree.js';
import { afterStep } from './steps.js';
import { listFolders, listObjects } from './store-kind.js';
import type { StoreState } from './store-state.js';
import { bytesOf } from './world.js';

/** More attempts of one step than all faults of a schedule account for. */
const ATTEMPTS = 8;

/** Everything that may happen at a moment. Code of a process runs only where it got to a place where it never was before. */
export async function movesAt(setting: Setting, moment: Moment): Promise<readonly Move[]> {
  for (;;) {
    const moves = knownMoves(setting, moment);
    if (!setting.tree.isWanting) return moves;
    await setting.tree.grow();
  }
}

/** Moves whose process got somewhere where it was before; the tree keeps what it did not know. */
function knownMoves(setting: Setting, moment: Moment): Move[] {
  const moves: Move[] = [];
  const { actors, left, last } = moment;
  const fetching = actors.find(({ node }) => fetchOf(node) >= 0);
  if (fetching !== undefined) {
    // The Hub's bytes are nobody else's business, so that it does not matter when they come.
    addFetches(setting, moment, fetching, moves);
    return moves;
  }
  const mayGoOn = actors.some((actor) => nameOf(actor) === last);
  for (const actor of actors) {
    const name = nameOf(actor);
    const switches = left.switches - (mayGoOn && name !== last ? 1 : 0);
    if (switches < 0) continue;
    const at: Moment = { ...moment, last: name, left: { ...left, switches } };
    for (const index of actor.node.pending.keys()) addAnswers(setting, at, { actor, index }, moves);
    if (!actor.stalled && actor.writer.spared !== true) addEnds(setting, at, actor, moves);
  }
  return moves;
}

interface Asked {
  readonly actor: Actor;
  readonly index: number;
}

/** The store answers one call: rightly, with an older list, or so that nobody hears it. */
function addAnswers(setting: Setting, moment: Moment, { actor, index }: Asked, moves: Move[]): void {
  const { store, left, earlier } = moment;
  const call = actor.node.pending[index];
  if (call === undefined) return;
  const { state, result, faults } = applyCall(setting.kind, store, call);
  const asked = { actor, index, call, result, faults: told(faults, { actor, call, store }), how: '' };
  const after: Moment = { ...moment, store: state };
  give(setting, after, asked, moves);
  if (left.staleLists > 0) {
    if (earlier === undefined && state.objects !== store.objects) {
      give(setting, { ...after, earlier: store }, { ...asked, how: '(lists may show the time before)' }, moves);
    }
    const stale = earlier === undefined ? undefined : oldList(earlier, call);
    if (stale !== undefined && stale.key !== result.key) {
      const used = { ...moment, left: { ...left, staleLists: left.staleLists - 1 } };
      give(setting, used, { ...asked, result: stale, how: '(stale)' }, moves);
    }
  }
  if (left.lostAnswers > 0 && changes(call) && actor.writer.spared !== true) {
    const lost = { ...after, left: { ...left, lostAnswers: left.lostAnswers - 1 } };
    give(setting, lost, { ...asked, result: refusal('StoreUnavailable'), how: '(the answer is lost)' }, moves);
  }
}

/**
 * Few stores delete on a condition. So a manifest that another run put in the place of a broken one, between the last look
 * at it and its withdrawal, goes with it: its Dir is unpublished until the run that withdrew it is through, and nothing
 * wrong is shown. All else that is done to a good manifest is a fault.
 */
function told(
  faults: readonly string[],
  { actor, call, store }: { readonly actor: Actor; readonly call: Call; readonly store: StoreState }
): readonly string[] {
  if (faults.length === 0 || call.op !== 'delete') return faults;
  const unseen = lastRead(actor.node, call.key) !== store.objects.get(call.key)?.content;
  return unseen ? faults.filter((fault) => !fault.startsWith('withdrawn')) : faults;
}

function oldList(earlier: StoreState, call: Call): Result | undefined {
  if (call.op === 'list') return answer(listObjects(earlier, call.prefix));
  return call.op === 'listFolders' ? answer(listFolders(earlier, call.prefix)) : undefined;
}

/** A process dies, before or after the store did what it asked for, or is taken for dead. */
function addEnds(setting: Setting, moment: Moment, actor: Actor, moves: Move[]): void {
  const { left, store, actors } = moment;
  if (left.kills === 0 && left.stalls === 0) return;
  const { writer, step, attempt } = actor;
  const next = { writer, step, attempt: attempt + 1 };
  const node = setting.tree.start(next);
  if (node === undefined) return;
  const successor: Actor = { ...next, node, stalled: false };
  if (left.kills > 0) {
    const others = actors.flatMap((each) => (each === actor ? [successor] : [each]));
    const killed = { ...moment, actors: others, left: { ...left, kills: left.kills - 1 } };
    moves.push({ event: { who: actor, how: 'is killed' }, moment: killed, faults: [], end: undefined });
    for (const call of actor.node.pending) {
      if (!changes(call)) continue;
      const { state, faults } = applyCall(setting.kind, store, call);
      const event = { who: actor, call, how: '(and is killed)' };
      const after = { ...killed, store: state };
      moves.push({ event, moment: after, faults: told(faults, { actor, call, store }), end: undefined });
    }
  }
  if (left.stalls > 0) {
    const both = actors.flatMap((each) => (each === actor ? [{ ...actor, stalled: true }, successor] : [each]));
    const stalled = { ...moment, actors: both, left: { ...left, stalls: left.stalls - 1 } };
    moves.push({ event: { who: actor, how: 'stalls' }, moment: stalled, faults: [], end: undefined });
  }
}

function addFetches(setting: Setting, moment: Moment, actor: Actor, moves: Move[]): void {
  const { left } = moment;
  const index = fetchOf(actor.node);
  const call = actor.node.pending[index];
  if (call?.op !== 'fetch') return;
  const bytes = bytesOf(setting.scenario.repo, call);
  const right: Given = { actor, index, call, result: { ok: true, value: bytes, key: 'right' }, faults: [], how: '' };
  give(setting, moment, right, moves);
  if (left.flips === 0 || actor.writer.spared === true) return;
  const wrong: Result = { ok: true, value: flipped(bytes), key: 'flipped' };
  const after = { ...moment, left: { ...left, flips: left.flips - 1 } };
  give(setting, after, { ...right, result: wrong, how: '(a bit is flipped)' }, moves);
}

function fetchOf({ pending }: ProcessNode): number {
  for (let index = 0; index < pending.length; index++) if (pending[index]?.op === 'fetch') return index;
  return -1;
}

interface Given extends Asked {
  readonly call: Call;
  readonly result: Result;
  readonly faults: readonly string[];
  readonly how: string;
}

/** Hands an answer to a process, and goes on with the run where that ends a step. */
function give(setting: Setting, moment: Moment, given: Given, moves: Move[]): void {
  const { actor, index, call, result, faults, how } = given;
  const node = setting.tree.deliver(actor.node, index, result);
  if (node === undefined) return;
  const gone = node.ending === undefined ? { next: { ...actor, node } } : goOn(setting, actor, node);
  if (gone === undefined) return;
  const actors: Actor[] = [];
  for (const each of moment.actors) {
    if (each !== actor) actors.push(each);
    else if (gone.next !== undefined) actors.push(gone.next);
  }
  const event = { who: actor, call, how };
  moves.push({ event, moment: { ...moment, actors }, faults, end: 'end' in gone ? gone.end : undefined });
}

type Gone = { readonly next: Actor | undefined; readonly end?: RunEnd };

function goOn({ tree }: Setting, actor: Actor, { ending }: ProcessNode): Gone | undefined {
  const { writer, step, stalled } = actor;
  // Nobody waits any more for what a stalled process has to say.
  if (ending === undefined || stalled) return { next: undefined };
  const after = afterStep(step, ending);
  if (after.go === 'end') return { next: undefined, end: { writer: writer.name, code: after.code, text: after.text } };
  const attempt = after.go === 'again' ? actor.attempt + 1 : 0;
  if (attempt > ATTEMPTS) {
    const text = ending.ok ? '' : ending.text;
    return { next: undefined, end: { writer: writer.name, code: 'GaveUp', text } };
  }
  const at = { writer, step: after.go === 'again' ? step : after.go, attempt };
  const node = tree.start(at);
  return node === undefined ? undefined : { next: { ...at, node, stalled } };
}
