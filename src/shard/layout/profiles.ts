import { NEWEST_VERIFIED_VLLM } from '../../core/vllm-releases.js';
import { unsupported } from './unsupported.js';
import { describeRange, isInRange, type VersionRange } from './vllm-version.js';

/** What of a layout depends on the vLLM release, as data. Every range was measured: real vLLM wrote these very bytes. */
export interface LayoutProfile {
  /** Recorded in manifests and hashed into folder names: never changed, never used again for another layout. */
  readonly id: string;
  readonly architectures: readonly string[];
  readonly versions: readonly VersionRange[];
  /** Four F32 scalars of every attention layer, all 1. */
  readonly attentionScales: boolean;
  /** Under which name a tied embedding is kept. */
  readonly tiedName: 'lm_head.weight' | 'model.embed_tokens.weight';
  /** Tensors of a layer's experts, in the order of the state dict; keys are relative to the block. */
  readonly experts?: readonly ExpertTensor[];
}

/** A tensor of vLLM's state dict, and what of the experts is packed in it. */
export interface ExpertTensor {
  readonly key: string;
  readonly holds: 'router' | 'gate-and-up' | 'down' | 'shared-gate' | 'shared-gate-and-up' | 'shared-down';
}

/** vLLM's main of 2026-08-21, which was measured by its commit. */
const MAIN_2026_08_21 = { from: 'main-ae25628995', to: 'main-ae25628995' };

const DENSE = ['LlamaForCausalLM', 'MistralForCausalLM', 'Qwen2ForCausalLM', 'Qwen3ForCausalLM', 'Phi3ForCausalLM'];

const router = { key: 'gate.weight', holds: 'router' } as const;

function routed(prefix: string): ExpertTensor[] {
  return [
    { key: `${prefix}w13_weight`, holds: 'gate-and-up' },
    { key: `${prefix}w2_weight`, holds: 'down' },
  ];
}

function shared(prefix: string): ExpertTensor[] {
  return [
    { key: `${prefix}expert_gate.weight`, holds: 'shared-gate' },
    { key: `${prefix}gate_up_proj.weight`, holds: 'shared-gate-and-up' },
    { key: `${prefix}down_proj.weight`, holds: 'shared-down' },
  ];
}

const withScales = { attentionScales: true, tiedName: 'lm_head.weight' } as const;
const withoutScales = { ...withScales, attentionScales: false } as const;
const underEmbedding = { tiedName: 'model.embed_tokens.weight' } as const;

const gemma = { architectures: ['GemmaForCausalLM'] };
const gemma2 = { architectures: ['Gemma2ForCausalLM'] };
const gemma3 = { architectures: ['Gemma3ForCausalLM'] };
const mixtral = { architectures: ['MixtralForCausalLM'] };
const qwen2Moe = { architectures: ['Qwen2MoeForCausalLM'] };
const qwen3Moe = { architectures: ['Qwen3MoeForCausalLM'] };

const only = (release: string): VersionRange => ({ from: release, to: release });
const newest = (from: string): VersionRange => ({ from, to: NEWEST_VERIFIED_VLLM });

const plainMixtral = [router, ...routed('experts.')];
const oldQwen2Moe = [router, ...shared('experts._shared_experts.'), ...routed('experts.')];
const oldQwen3Moe = [...routed('experts.'), router];

const PROFILES: readonly LayoutProfile[] = [
  { ...withoutScales, id: 'dense-0', architectures: DENSE, versions: [only('0.13.0')] },
  { ...withScales, id: 'dense-1', architectures: DENSE, versions: [newest('0.14.0'), MAIN_2026_08_21] },

  { ...withoutScales, ...underEmbedding, ...gemma, id: 'gemma-0', versions: [only('0.13.0')] },
  {
    ...withScales,
    ...underEmbedding,
    ...gemma,
    id: 'gemma-1',
    versions: [{ from: '0.14.0', to: '0.28.0' }, MAIN_2026_08_21],
  },
  { ...withScales, ...gemma, id: 'gemma-2', versions: [newest('0.29.0')] },

  { ...withoutScales, ...underEmbedding, ...gemma2, id: 'gemma2-0', versions: [only('0.13.0')] },
  {
    ...withScales,
    ...underEmbedding,
    ...gemma2,
    id: 'gemma2-1',
    versions: [newest('0.14.0'), MAIN_2026_08_21],
  },
  { ...withoutScales, ...underEmbedding, ...gemma3, id: 'gemma3-0', versions: [only('0.13.0')] },
  {
    ...withScales,
    ...gemma3,
    id: 'gemma3-1',
    versions: [newest('0.14.0'), MAIN_2026_08_21],
  },

  { ...withoutScales, ...mixtral, id: 'mixtral-0', versions: [only('0.13.0')], experts: plainMixtral },
  { ...withScales, ...mixtral, id: 'mixtral-1', versions: [{ from: '0.14.0', to: '0.23.0' }], experts: plainMixtral },
  {
    ...withScales,
    ...mixtral,
    id: 'mixtral-2',
    versions: [newest('0.24.0'), MAIN_2026_08_21],
    experts: [router, ...routed('experts.routed_experts.')],
  },

  { ...withoutScales, ...qwen2Moe, id: 'qwen2-moe-0', versions: [only('0.13.0')], experts: oldQwen2Moe },
  { ...withScales, ...qwen2Moe, id: 'qwen2-moe-1', versions: [{ from: '0.14.0', to: '0.19.1' }], experts: oldQwen2Moe },
  {
    ...withScales,
    ...qwen2Moe,
    id: 'qwen2-moe-2',
    versions: [{ from: '0.20.0', to: '0.23.0' }],
    experts: [router, ...shared('shared_expert.'), ...routed('experts.')],
  },
  {
    ...withScales,
    ...qwen2Moe,
    id: 'qwen2-moe-3',
    versions: [newest('0.24.0'), MAIN_2026_08_21],
    experts: [router, ...shared('experts._shared_experts._layer.'), ...routed('experts.routed_experts.')],
  },

  { ...withoutScales, ...qwen3Moe, id: 'qwen3-moe-0', versions: [only('0.13.0')], experts: oldQwen3Moe },
  { ...withScales, ...qwen3Moe, id: 'qwen3-moe-1', versions: [{ from: '0.14.0', to: '0.14.1' }], experts: oldQwen3Moe },
  {
    ...withScales,
    ...qwen3Moe,
    id: 'qwen3-moe-2',
    versions: [{ from: '0.15.0', to: '0.19.1' }],
    experts: [{ key: 'experts._gate.weight', holds: 'router' }, ...routed('experts.')],
  },
  {
    ...withScales,
    ...qwen3Moe,
    id: 'qwen3-moe-3',
    versions: [{ from: '0.20.0', to: '0.20.2' }],
    experts: [router, ...routed('experts.')],
  },
  {
    ...withScales,
    ...qwen3Moe,
    id: 'qwen3-moe-4',
    versions: [{ from: '0.21.0', to: '0.23.0' }],
    experts: [{ key: 'experts.runner.gate.weight', holds: 'router' }, ...routed('experts.')],
  },
  {
    ...withScales,
    ...qwen3Moe,
    id: 'qwen3-moe-5',
    versions: [newest('0.24.0'), MAIN_2026_08_21],
    experts: [{ key: 'experts.gate.weight', holds: 'router' }, ...routed('experts.routed_experts.')],
  },
];

/** The profile of an architecture and a release; `UnsupportedSharding` lists what was measured. */
export function findProfile(architecture: string, vllmVersion: string): LayoutProfile {
  const candidates = PROFILES.filter(({ architectures }) => architectures.includes(architecture));
  const found = candidates.find(({ versions }) => versions.some((range) => isInRange(vllmVersion, range)));
  if (found !== undefined) return found;
  const measured = candidates.flatMap(({ versions }) => versions.map(describeRange)).join(', ');
  throw unsupported(
    'vllm-version',
    `What vLLM ${vllmVersion} calls the tensors of ${architecture} was not measured; measured are ${measured}`,
    { vllmVersion, architecture }
  );
}
