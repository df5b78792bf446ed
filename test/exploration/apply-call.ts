import type { Call } from './calls.js';
import { isForeignManifest, isGoodManifest } from './reader.js';
import type { Applied, StoreKind } from './store-kind.js';
import type { StoreState } from './store-state.js';

/** What a call comes to. */
export interface Effect extends Applied {
  /** What no process may ever do. */
  readonly faults: readonly string[];
}

const known = new WeakMap<Call, Map<StoreState, Effect>>();

/** What a call does to a store; the same call meets the same store again and again. */
export function applyCall(kind: StoreKind, store: StoreState, call: Call): Effect {
  let effects = known.get(call);
  if (effects === undefined) known.set(call, (effects = new Map<StoreState, Effect>()));
  const found = effects.get(store);
  if (found !== undefined) return found;
  const { state, result } = kind.apply(store, call);
  const effect = { state, result, faults: faultsOf(call, store, state) };
  effects.set(store, effect);
  return effect;
}

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

/** Whether a call may change the store. */
export function changes({ op }: Call): boolean {
  return CHANGES.has(op);
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
