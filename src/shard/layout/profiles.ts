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

export interface ExpertTensor {
  readonly key: string;
  readonly holds: 'router' | 'gate-and-up' | 'down' | 'shared-gate' | 'shared-gate-and-up' | 'shared-down';
}

/** vLLM's main of 2026-08-21, which was measured by its commit. */
const MAIN_2026_08_21 = { from: 'main-ae25628995', to: 'main-ae25628995' };
const NEWEST = '0.32.0';

const DENSE = [
  'LlamaForCausalLM',
  'MistralForCausalLM',
  'Qwen2ForCausalLM',
  'Qwen3ForCausalLM',
  'Gemma3ForCausalLM',
  'Phi3ForCausalLM',
];

function mixtral(prefix: string): ExpertTensor[] {
  return [{ key: 'gate.weight', holds: 'router' }, ...routed(prefix)];
}

function qwen3(router: string, prefix: string): ExpertTensor[] {
  return [{ key: router, holds: 'router' }, ...routed(prefix)];
}

function routed(prefix: string): ExpertTensor[] {
  return [
    { key: `${prefix}w13_weight`, holds: 'gate-and-up' },
    { key: `${prefix}w2_weight`, holds: 'down' },
  ];
}

function shared(prefix: string): ExpertTensor[] {
  return [
    { key: `${prefix}gate_up_proj.weight`, holds: 'shared-gate-and-up' },
    { key: `${prefix}down_proj.weight`, holds: 'shared-down' },
  ];
}

const withScales = { attentionScales: true, tiedName: 'lm_head.weight' } as const;

const PROFILES: readonly LayoutProfile[] = [
  { ...withScales, id: 'dense-1', architectures: DENSE, versions: [{ from: '0.14.0', to: NEWEST }, MAIN_2026_08_21] },
  { ...withScales, id: 'gemma-2', architectures: ['GemmaForCausalLM'], versions: [{ from: '0.32.0', to: NEWEST }] },
  {
    ...withScales,
    id: 'gemma2-1',
    architectures: ['Gemma2ForCausalLM'],
    versions: [{ from: '0.14.0', to: NEWEST }, MAIN_2026_08_21],
    tiedName: 'model.embed_tokens.weight',
  },
  {
    ...withScales,
    id: 'mixtral-2',
    architectures: ['MixtralForCausalLM'],
    versions: [{ from: '0.24.0', to: NEWEST }, MAIN_2026_08_21],
    experts: mixtral('experts.routed_experts.'),
  },
  {
    ...withScales,
    id: 'qwen3-moe-5',
    architectures: ['Qwen3MoeForCausalLM'],
    versions: [{ from: '0.26.0', to: NEWEST }, MAIN_2026_08_21],
    experts: qwen3('experts.gate.weight', 'experts.routed_experts.'),
  },
  {
    ...withScales,
    id: 'qwen2-moe-3',
    architectures: ['Qwen2MoeForCausalLM'],
    versions: [{ from: '0.26.0', to: NEWEST }, MAIN_2026_08_21],
    experts: [
      { key: 'gate.weight', holds: 'router' },
      { key: 'experts._shared_experts._layer.expert_gate.weight', holds: 'shared-gate' },
      ...shared('experts._shared_experts._layer.'),
      ...routed('experts.routed_experts.'),
    ],
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
