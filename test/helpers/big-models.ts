import { createCipheriv, createHash } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A Llama of any size whose weights follow from the names of its tensors. */
export interface LlamaSize {
  readonly layers: number;
  readonly vocabulary: number;
  readonly tied?: boolean;
}

const HIDDEN = 1024;
const HEADS = 8;
const INTERMEDIATE = 2048;
const MiB = 1024 * 1024;

/** Bytes of a model: 20 MiB for each layer, 2 KiB for each word, once more for the output head. */
export const smallLlama: LlamaSize = { layers: 2, vocabulary: 4096 };

/**
 * Writes config.json, tokenizer.json and model.safetensors; one block at a time, so that the size costs no memory.
 * @returns bytes of the weights file
 */
export async function writeLlama(folder: string, size: LlamaSize): Promise<number> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify(configOf(size), null, 2));
  await writeFile(join(folder, 'tokenizer.json'), '{"version":"1.0"}');
  let end = 0;
  const tensors = tensorsOf(size).map(([name, shape]) => {
    const begin = end;
    end += shape.reduce((product, count) => product * count, 2);
    return { name, shape, begin, end };
  });
  const header = Object.fromEntries(
    tensors.map(({ name, shape, begin, end: last }) => [name, { dtype: 'BF16', shape, data_offsets: [begin, last] }])
  );
  const json = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  const file = await open(join(folder, 'model.safetensors'), 'w');
  try {
    await file.writeFile(prefix);
    await file.writeFile(json);
    for (const { name, begin, end: last } of tensors) {
      for (const block of pseudoRandom(name, last - begin)) await file.writeFile(block);
    }
  } finally {
    await file.close();
  }
  return prefix.length + json.length + end;
}

function configOf({ layers, vocabulary, tied = false }: LlamaSize) {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    dtype: 'bfloat16',
    hidden_size: HIDDEN,
    intermediate_size: INTERMEDIATE,
    num_attention_heads: HEADS,
    num_key_value_heads: HEADS,
    num_hidden_layers: layers,
    vocab_size: vocabulary,
    tie_word_embeddings: tied,
  };
}

function tensorsOf({ layers, vocabulary, tied = false }: LlamaSize): [string, number[]][] {
  const square = [HIDDEN, HIDDEN];
  return [
    ['model.embed_tokens.weight', [vocabulary, HIDDEN]],
    ...Array.from({ length: layers }, (_, layer): [string, number[]][] => {
      const name = (tensor: string) => `model.layers.${String(layer)}.${tensor}.weight`;
      return [
        ...['q_proj', 'k_proj', 'v_proj', 'o_proj'].map((tensor): [string, number[]] => [
          name(`self_attn.${tensor}`),
          square,
        ]),
        [name('mlp.gate_proj'), [INTERMEDIATE, HIDDEN]],
        [name('mlp.up_proj'), [INTERMEDIATE, HIDDEN]],
        [name('mlp.down_proj'), [HIDDEN, INTERMEDIATE]],
        [name('input_layernorm'), [HIDDEN]],
        [name('post_attention_layernorm'), [HIDDEN]],
      ];
    }).flat(),
    ['model.norm.weight', [HIDDEN]],
    ...(tied ? [] : [['lm_head.weight', [vocabulary, HIDDEN]] as [string, number[]]]),
  ];
}

/** The key stream of a name: as good as random, and the same on every machine. */
function* pseudoRandom(name: string, length: number): Generator<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', createHash('md5').update(name).digest(), Buffer.alloc(16));
  const zeros = Buffer.alloc(MiB);
  for (let left = length; left > 0; left -= MiB) yield cipher.update(zeros.subarray(0, Math.min(MiB, left)));
}
