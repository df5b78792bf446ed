import type { Actor, Moment, Setting } from './moment.js';
import { movesAt } from './moves.js';
import { isGoodManifest, lookAt, plansIn } from './reader.js';
import { startNow } from './process-tree.js';
import { FIRST_STEP } from './steps.js';
import type { StoreState } from './store-state.js';
import { dirOfCommit } from './world.js';

const NOTHING = { kills: 0, stalls: 0, flips: 0, lostAnswers: 0, staleLists: 0, switches: Infinity };

const looked = new WeakMap<object, Map<string, readonly string[]>>();

/** What is wrong once everybody is done and one more run of each Dir went through undisturbed. */
export async function finish(
  setting: Setting,
  { store, actors }: Moment,
  before: StoreState
): Promise<readonly string[]> {
  const known = looked.get(setting) ?? new Map<string, readonly string[]>();
  looked.set(setting, known);
  // Who may still come may leave something behind.
  const alone = actors.length === 0;
  const key = `${store.id} ${String(alone)}`;
  const found = known.get(key) ?? (await runOnce(setting, { store, before, alone }));
  known.set(key, found);
  return found;
}

async function runOnce(
  setting: Setting,
  { store, before, alone }: { readonly store: StoreState; readonly before: StoreState; readonly alone: boolean }
): Promise<string[]> {
  if (setting.scenario.endsPublished === false) return [];
  const commits = new Set(setting.scenario.writers.map(({ commit }) => commit));
  let state = store;
  for (const commit of commits) {
    const after = await runAlone(setting, { store: state, commit, before });
    if (typeof after === 'string') return [after];
    state = after;
    const manifest = `${dirOfCommit(commit)}.prefetch/manifest.json`;
    if (!isGoodManifest(state, manifest)) return [`unpublished: ${manifest} after a run of its own`];
  }
  if (!alone) return [];
  const keys = new Set(state.objects.keys());
  const uploads = state.uploads.filter((upload) => keys.has(upload.key)).map(({ key, id }) => `${key} (${id})`);
  const plans = plansIn(state);
  return [
    ...(plans.length === 0 ? [] : [`plans left: ${plans.join(', ')}`]),
    ...(uploads.length === 0 ? [] : [`uploads left: ${uploads.join(', ')}`]),
  ];
}

/** The store after a run that nothing disturbs, or what went wrong. */
async function runAlone(
  setting: Setting,
  { store, commit, before }: { readonly store: StoreState; readonly commit: string; readonly before: StoreState }
): Promise<StoreState | string> {
  const at = { writer: { name: `Last-${commit}`, commit }, step: FIRST_STEP, attempt: 0 };
  const actor: Actor = { ...at, node: await startNow(setting.tree, at), stalled: false };
  let moment: Moment = { store, earlier: undefined, actors: [actor], left: NOTHING, last: '' };
  while (moment.actors.length > 0) {
    const [move] = await movesAt(setting, moment);
    if (move === undefined) return 'stuck: a run that nothing disturbs';
    const [fault] = [...move.faults, ...lookAt(move.moment.store, before)];
    if (fault !== undefined) return `${fault} in a run that nothing disturbs`;
    const { end } = move;
    if (end !== undefined && end.code !== 'hit' && end.code !== 'published') {
      return `failed: a run that nothing disturbs ends as ${end.code}: ${end.text}`;
    }
    moment = move.moment;
  }
  return moment.store;
}
