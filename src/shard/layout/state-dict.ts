import type { Dtype, TensorSpec } from '../../safetensors/index.js';
import type { ExpertsShape, FeedForwardShape, GroupedQueryShape, ModelShape } from './model-shape.js';
import type { ExpertTensor, LayoutProfile } from './profiles.js';
import { StateDictBuilder } from './state-dict-builder.js';

/**
 * Where bytes of a rank's tensor come from. The pieces of a tensor follow each other without a gap.
 * - `rows`: `count` whole rows of a source, from `base + floor(rank / replicas) * count` on; from row `limit` on, zeros.
 * - `columns`: of every row of a source, the elements from `rank * count` to `(rank + 1) * count`.
 * - `ones`: one F32 scalar of value 1.
 */
export type Piece =
  | {
      readonly kind: 'rows';
      readonly source: string;
      readonly base: number;
      readonly count: number;
      readonly replicas: number;
      readonly limit: number;
      /** Elements of a row. */
      readonly width: number;
    }
  | {
      readonly kind: 'columns';
      readonly source: string;
      readonly rows: number;
      readonly count: number;
      /** Elements of a row of the source. */
      readonly width: number;
    }
  | { readonly kind: 'ones' };

/** A tensor of a rank's state dict; name, dtype and shape are the same for every rank. */
export interface StateTensor extends TensorSpec {
  readonly pieces: readonly Piece[];
}

/** What the checkpoint must hold, and what becomes of it. */
export interface StateDict {
  /** In vLLM's own order, which decides how the parts are split. */
  readonly tensors: readonly StateTensor[];
  /** Shape of every source tensor. */
  readonly sources: ReadonlyMap<string, readonly number[]>;
}

/** Which model is laid out, for which vLLM, on how many ranks. */
export interface StateDictOptions {
  readonly shape: ModelShape;
  readonly profile: LayoutProfile;
  readonly ranks: number;
  readonly dtype: Dtype;
  /** The output head is kept beside the embedding: the model is not tied, whatever its config says. */
  readonly ownHead: boolean;
}

/** The state dict of one rank as vLLM has it after loading, with the source of every byte. */
export function buildStateDict(options: StateDictOptions): StateDict {
  const state = new StateDictBuilder(options);
  const { shape, profile, ownHead } = options;
  state.embedding(ownHead ? 'model.embed_tokens.weight' : profile.tiedName, 'model.embed_tokens.weight');
  for (let layer = 0; layer < shape.layers; layer++) {
    const prefix = `model.layers.${layer}.`;
    addAttention(state, `${prefix}self_attn.`, options);
    addFeedForward(state, prefix, { ...options, feedForward: shape.feedForward(layer) });
    for (const norm of shape.rules.norms) state.replicated(`${prefix}${norm}.weight`, [shape.hidden]);
  }
  state.replicated('model.norm.weight', [shape.hidden]);
  if (ownHead) state.embedding('lm_head.weight', 'lm_head.weight');
  return { tensors: state.tensors, sources: state.sources };
}

function addAttention(state: StateDictBuilder, prefix: string, options: StateDictOptions): void {
  const { attention } = options.shape;
  switch (attention.kind) {
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- there is one kind so far
    case 'grouped-query':
      addGroupedQuery(state, prefix, { ...options, attention });
  }
}

function addGroupedQuery(
  state: StateDictBuilder,
  prefix: string,
  { shape: { hidden }, attention, profile }: StateDictOptions & { readonly attention: GroupedQueryShape }
): void {
  const { rules, heads, headDim, qkvBias, outputBias } = attention;
  state.queryKeyValue(prefix, attention, { kind: 'weight', width: [hidden] });
  if (qkvBias) state.queryKeyValue(prefix, attention, { kind: 'bias', width: [] });
  state.split(`${prefix}o_proj.weight`, 'columns', { rows: hidden, columns: heads * headDim });
  if (outputBias) state.replicated(`${prefix}o_proj.bias`, [hidden]);
  const norms = () => {
    for (const norm of ['q_norm', 'k_norm']) state.replicated(`${prefix}${norm}.weight`, [headDim]);
  };
  if (rules.qkNorm === 'before-scales') norms();
  if (profile.attentionScales) {
    for (const scale of ['_k_scale', '_v_scale', '_q_scale', '_prob_scale']) state.ones(`${prefix}attn.${scale}`);
  }
  if (rules.qkNorm === 'after-scales') norms();
}

type FeedForwardOptions = StateDictOptions & { readonly feedForward: FeedForwardShape };

function addFeedForward(state: StateDictBuilder, layer: string, options: FeedForwardOptions): void {
  const { feedForward, shape } = options;
  if (feedForward.kind === 'experts') {
    addExperts(state, layer, { ...options, feedForward });
    return;
  }
  const { intermediate, bias, source } = feedForward;
  const prefix = `${layer}mlp.`;
  const kinds = bias ? (['weight', 'bias'] as const) : (['weight'] as const);
  for (const kind of kinds) {
    const width = kind === 'weight' ? [shape.hidden] : [];
    state.gateAndUp(`${prefix}gate_up_proj.${kind}`, { prefix, kind, rows: intermediate, width, source });
  }
  state.split(`${prefix}down_proj.weight`, 'columns', { rows: shape.hidden, columns: intermediate });
  if (bias) state.replicated(`${prefix}down_proj.bias`, [shape.hidden]);
}

function addExperts(
  state: StateDictBuilder,
  layer: string,
  { feedForward, profile, shape }: StateDictOptions & { readonly feedForward: ExpertsShape }
): void {
  const block = `${layer}${feedForward.rules.block}.`;
  for (const tensor of profile.experts ?? [])
    addExpertTensor(state, tensor, { block, feedForward, hidden: shape.hidden });
}

function addExpertTensor(
  state: StateDictBuilder,
  { key, holds }: ExpertTensor,
  {
    block,
    feedForward,
    hidden,
  }: { readonly block: string; readonly feedForward: ExpertsShape; readonly hidden: number }
): void {
  const { rules, experts, intermediate } = feedForward;
  const name = `${block}${key}`;
  const sharedPrefix = `${block}shared_expert.`;
  const each = { prefix: `${block}experts.`, experts, intermediate, hidden, rules };
  switch (holds) {
    case 'router':
      state.replicated(name, [experts, hidden], `${block}${rules.router}.weight`);
      return;
    case 'gate-and-up':
      state.expertsGateAndUp(name, each);
      return;
    case 'down':
      state.expertsDown(name, each);
      return;
    case 'shared-gate':
      state.replicated(name, [1, hidden], `${block}shared_expert_gate.weight`);
      return;
    case 'shared-gate-and-up':
      state.gateAndUp(name, {
        prefix: sharedPrefix,
        kind: 'weight',
        rows: sharedRows(feedForward),
        width: [hidden],
        source: 'split',
      });
      return;
    case 'shared-down':
      state.split(
        name,
        'columns',
        { rows: hidden, columns: sharedRows(feedForward) },
        `${sharedPrefix}down_proj.weight`
      );
  }
}

function sharedRows({ shared }: ExpertsShape): number {
  if (shared === undefined) throw new Error('The layout has a shared expert, and the model has none');
  return shared.intermediate;
}
