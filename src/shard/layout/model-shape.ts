import {
  ARCHITECTURES,
  type Architecture,
  type GroupedQueryAttention,
  type MixtureOfExperts,
} from './architectures.js';
import { readField, type ConfigReader } from './config-reader.js';
import { unsupported } from './unsupported.js';

/** What config.json says about the tensors of a model; counts are of the whole model, not of a rank. */
export interface ModelShape {
  readonly architecture: string;
  readonly rules: Architecture;
  readonly hidden: number;
  readonly layers: number;
  readonly vocabulary: number;
  readonly attention: AttentionShape;
  /** The output head is the embedding. */
  readonly tied: boolean;
  readonly feedForward: (layer: number) => FeedForwardShape;
  /** The data type that config.json names, if it does. */
  readonly dtype: string | undefined;
}

/** How the attention of one layer is made. */
export type AttentionShape = GroupedQueryShape;

/** Attention in which several query heads share one head of keys and values. */
export interface GroupedQueryShape {
  readonly kind: 'grouped-query';
  readonly rules: GroupedQueryAttention;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly qkvBias: boolean;
  readonly outputBias: boolean;
}

/** The feed-forward block of one layer: one, or a choice of experts. */
export type FeedForwardShape =
  | {
      readonly kind: 'dense';
      readonly intermediate: number;
      readonly bias: boolean;
      readonly source: 'split' | 'fused';
    }
  | ExpertsShape;

/** A block of which each token goes through a few experts only. */
export interface ExpertsShape {
  readonly kind: 'experts';
  readonly rules: MixtureOfExperts;
  readonly experts: number;
  readonly intermediate: number;
  /** Intermediate size of the expert that every token goes through, and the config field that says it. */
  readonly shared?: { readonly intermediate: number; readonly field: string };
}

/** Far above any model: a hostile config must not make us lay out millions of tensors. */
const MAX_LAYERS = 1024;
const MAX_EXPERTS = 4096;
/** Of all layers together. */
const MAX_EXPERTS_IN_ALL = 2 ** 17;

/** Reads a parsed config.json; `UnsupportedSharding` names what is unknown in it, or unverified. */
export function readModelShape(value: unknown): ModelShape {
  const config = readField(value);
  refuseQuantized(config);
  const architecture = architectureOf(config);
  // A name of the config may be one that every object has.
  const rules = Object.hasOwn(ARCHITECTURES, architecture) ? ARCHITECTURES[architecture] : undefined;
  if (rules === undefined) throw unknownArchitecture(architecture);
  checkModelType(config, architecture, rules);
  checkFixedFields(config, architecture, rules);
  const hidden = config.count('hidden_size');
  return {
    architecture,
    rules,
    hidden,
    layers: config.count('num_hidden_layers', MAX_LAYERS),
    vocabulary: config.count('vocab_size'),
    attention: attentionOf(config, rules, hidden),
    tied: config.flag('tie_word_embeddings', rules.tied),
    feedForward: feedForwardOf(config, rules),
    dtype: config.text('dtype') ?? config.text('torch_dtype'),
  };
}

function refuseQuantized(config: ConfigReader): void {
  for (const field of ['quantization_config', 'compression_config']) {
    const quantization = config.object(field);
    // vLLM takes one without a method, as some programs leave it behind, for none.
    if (quantization === undefined || Object.keys(quantization).length === 0) continue;
    const method = readField(quantization).text('quant_method') ?? 'unknown';
    throw unsupported('quantization', `The checkpoint is quantized (${field}, quant_method ${method.slice(0, 40)})`, {
      quantization: method.slice(0, 40),
    });
  }
}

function architectureOf(config: ConfigReader): string {
  const names = config.list('architectures');
  const first = names?.[0];
  if (typeof first === 'string') return first;
  throw unsupported('config', 'config.json names no architecture: expected a field architectures with a name');
}

function unknownArchitecture(name: string): Error {
  const known = Object.keys(ARCHITECTURES).join(', ');
  return unsupported('architecture', `The architecture ${name.slice(0, 100)} is none of those verified (${known})`, {
    architecture: name.slice(0, 100),
  });
}

function checkModelType(config: ConfigReader, architecture: string, { modelType }: Architecture): void {
  const got = config.text('model_type');
  if (got === modelType) return;
  throw unsupported(
    'architecture',
    `config.json has model_type ${got?.slice(0, 100) ?? 'unset'} with ${architecture}: verified is ${modelType}`,
    { architecture }
  );
}

function checkFixedFields(config: ConfigReader, architecture: string, { fixed = {} }: Architecture): void {
  for (const [field, value] of Object.entries(fixed)) {
    const found = value === 0 ? config.amount(field) : config.flag(field, value);
    if (found === value) continue;
    throw unsupported('config', `${architecture} with ${field} ${String(found)} in config.json is not verified`, {
      architecture,
      field,
    });
  }
}

function attentionOf(config: ConfigReader, { attention }: Architecture, hidden: number): AttentionShape {
  switch (attention.kind) {
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- there is one kind so far
    case 'grouped-query':
      return groupedQuery(config, attention, hidden);
  }
}

function groupedQuery(config: ConfigReader, rules: GroupedQueryAttention, hidden: number): GroupedQueryShape {
  const heads = config.count('num_attention_heads');
  const { keyValueHeads: absent } = rules.defaults;
  return {
    kind: 'grouped-query',
    rules,
    heads,
    keyValueHeads: config.countOr('num_key_value_heads', {
      absent: absent === 'attention-heads' ? heads : absent,
      empty: heads,
    }),
    headDim: headDim(config, rules, Math.floor(hidden / heads)),
    qkvBias: decide(config, rules.qkvBias),
    outputBias: decide(config, rules.outputBias),
  };
}

function headDim(config: ConfigReader, rules: GroupedQueryAttention, byHeads: number): number {
  const { headDim: absent } = rules.defaults;
  if (rules.ignoresHeadDim === true && config.countOr('head_dim', { absent: byHeads, empty: byHeads }) !== byHeads) {
    throw unsupported('config', `vLLM takes hidden_size by num_attention_heads, which head_dim in config.json is not`, {
      field: 'head_dim',
    });
  }
  return config.countOr('head_dim', { absent: absent === 'hidden-by-heads' ? byHeads : absent, empty: byHeads });
}

function decide(config: ConfigReader, rule: boolean | string): boolean {
  return typeof rule === 'boolean' ? rule : config.flag(rule, false);
}

function feedForwardOf(config: ConfigReader, { feedForward }: Architecture): ModelShape['feedForward'] {
  if (feedForward.kind === 'dense') {
    const { source } = feedForward;
    const shape = {
      kind: 'dense',
      intermediate: config.count('intermediate_size'),
      bias: decide(config, feedForward.bias),
      source,
    } as const;
    return () => shape;
  }
  const field = feedForward.shared?.intermediate;
  const experts: ExpertsShape = {
    kind: 'experts',
    rules: feedForward,
    experts: expertCount(config, feedForward.count),
    intermediate: config.count(feedForward.intermediate),
    ...(field === undefined ? {} : { shared: { intermediate: config.count(field), field } }),
  };
  return feedForward.mayBeDense ? mixed(config, experts) : () => experts;
}

function expertCount(config: ConfigReader, [name = '', ...otherNames]: readonly string[]): number {
  const most = Math.min(MAX_EXPERTS, Math.floor(MAX_EXPERTS_IN_ALL / config.count('num_hidden_layers', MAX_LAYERS)));
  const counts = new Set(
    [name, ...otherNames].flatMap((field) => (config.has(field) ? [config.count(field, most)] : []))
  );
  const [count, ...others] = counts;
  if (others.length > 0)
    throw unsupported('config', `config.json has ${name} and ${otherNames.join(', ')} that differ`);
  return count ?? config.count(name);
}

/** Qwen: every n-th layer has experts, but for those that are listed. */
function mixed(config: ConfigReader, experts: ExpertsShape): ModelShape['feedForward'] {
  const step = config.countOr('decoder_sparse_step', { absent: 1, empty: 1 });
  const denseLayers = new Set(config.list('mlp_only_layers') ?? []);
  return (layer) =>
    denseLayers.has(layer) || (layer + 1) % step !== 0
      ? { kind: 'dense', intermediate: config.count('intermediate_size'), bias: false, source: 'split' }
      : experts;
}
