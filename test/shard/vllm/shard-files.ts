import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { layoutFile, type Dtype, type TensorSpec } from '../../../src/safetensors/index.js';
import { tmpFolder } from '../../helpers/tmp.js';

/** A tensor in few words. */
export function tensor(name: string, shape: readonly number[], dtype: Dtype = 'BF16'): TensorSpec {
  return { name, dtype, shape };
}

/** The bytes of a safetensors file with these tensors, all zero. */
export function fileOf(tensors: readonly TensorSpec[]): Uint8Array {
  const { headerBytes, dataByteLength } = layoutFile(tensors);
  const bytes = new Uint8Array(headerBytes.length + dataByteLength);
  bytes.set(headerBytes);
  return bytes;
}

/** A folder for the source and one for the output, with these files in them. */
export async function foldersWith(files: {
  readonly source?: Readonly<Record<string, readonly TensorSpec[]>>;
  readonly output?: Readonly<Record<string, readonly TensorSpec[]>>;
}): Promise<{ readonly source: string; readonly output: string }> {
  const folder = await tmpFolder();
  const folders = { source: join(folder, 'source'), output: join(folder, 'output') };
  for (const kind of ['source', 'output'] as const) {
    await mkdir(folders[kind]);
    for (const [name, tensors] of Object.entries(files[kind] ?? {})) {
      await writeFile(join(folders[kind], name), fileOf(tensors));
    }
  }
  return folders;
}

/** A small Llama as it is published. */
export const llamaSource: readonly TensorSpec[] = [
  tensor('model.embed_tokens.weight', [100, 16]),
  ...[0, 1].flatMap((layer) => [
    tensor(`model.layers.${layer}.self_attn.q_proj.weight`, [16, 16]),
    tensor(`model.layers.${layer}.self_attn.k_proj.weight`, [8, 16]),
    tensor(`model.layers.${layer}.self_attn.v_proj.weight`, [8, 16]),
    tensor(`model.layers.${layer}.self_attn.o_proj.weight`, [16, 16]),
    tensor(`model.layers.${layer}.self_attn.rotary_emb.inv_freq`, [2000], 'F32'),
    tensor(`model.layers.${layer}.mlp.gate_proj.weight`, [64, 16]),
    tensor(`model.layers.${layer}.mlp.up_proj.weight`, [64, 16]),
    tensor(`model.layers.${layer}.mlp.down_proj.weight`, [16, 64]),
    tensor(`model.layers.${layer}.input_layernorm.weight`, [16]),
    tensor(`model.layers.${layer}.post_attention_layernorm.weight`, [16]),
  ]),
  tensor('model.norm.weight', [16]),
];

/** What vLLM makes of it for each of two ranks. */
export const llamaRank: readonly TensorSpec[] = [
  tensor('lm_head.weight', [64, 16]),
  ...[0, 1].flatMap((layer) => [
    tensor(`model.layers.${layer}.self_attn.qkv_proj.weight`, [16, 16]),
    tensor(`model.layers.${layer}.self_attn.o_proj.weight`, [16, 8]),
    tensor(`model.layers.${layer}.self_attn.attn._k_scale`, [], 'F32'),
    tensor(`model.layers.${layer}.mlp.gate_up_proj.weight`, [64, 16]),
    tensor(`model.layers.${layer}.mlp.down_proj.weight`, [16, 32]),
    tensor(`model.layers.${layer}.input_layernorm.weight`, [16]),
    tensor(`model.layers.${layer}.post_attention_layernorm.weight`, [16]),
  ]),
  tensor('model.norm.weight', [16]),
];
