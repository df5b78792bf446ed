import { createHash, randomFillSync } from 'node:crypto';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MiB } from '../../src/core/units.js';
import { layoutFile, tensorByteLength, type TensorSpec } from '../../src/safetensors/index.js';

/** A model in the shape of Llama with its embedding tied. */
export interface LlamaSize {
  readonly layers: number;
  readonly hidden: number;
  readonly vocabulary: number;
  /** Weights files. */
  readonly files: number;
}

export interface BenchFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

const HEAD_DIM = 64;
const KEY_VALUE_HEADS = 8;

/** Writes a checkpoint of random bytes as the Hub has them: several safetensors files, their index, config, tokenizer. */
export async function writeCheckpoint(folder: string, size: LlamaSize): Promise<BenchFile[]> {
  await mkdir(folder, { recursive: true });
  const split = intoFiles(tensorsOf(size), size.files);
  const written: BenchFile[] = [];
  const weightMap: Record<string, string> = {};
  for (const [index, tensors] of split.entries()) {
    const path = `model-${number(index + 1)}-of-${number(split.length)}.safetensors`;
    for (const { name } of tensors) weightMap[name] = path;
    written.push(await writeWeights(folder, path, tensors));
  }
  const totalSize = split.flat().reduce((sum, tensor) => sum + tensorByteLength(tensor), 0);
  const texts = {
    'config.json': configOf(size),
    'generation_config.json': { do_sample: true, temperature: 0.6 },
    'model.safetensors.index.json': { metadata: { total_size: totalSize }, weight_map: weightMap },
    'tokenizer.json': { version: '1.0', model: { vocab: Object.fromEntries(names(50_000).map((n, i) => [n, i])) } },
  };
  for (const [path, value] of Object.entries(texts)) {
    const bytes = Buffer.from(JSON.stringify(value));
    await writeFile(join(folder, path), bytes);
    written.push({ path, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
  }
  return written;
}

function configOf({ layers, hidden, vocabulary }: LlamaSize): object {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: hidden,
    intermediate_size: 4 * hidden,
    num_attention_heads: hidden / HEAD_DIM,
    num_key_value_heads: KEY_VALUE_HEADS,
    head_dim: HEAD_DIM,
    num_hidden_layers: layers,
    vocab_size: vocabulary,
    tie_word_embeddings: true,
    torch_dtype: 'bfloat16',
  };
}

function tensorsOf({ layers, hidden, vocabulary }: LlamaSize): TensorSpec[] {
  const matrix = (name: string, rows: number, columns: number): TensorSpec => ({
    name,
    dtype: 'BF16',
    shape: [rows, columns],
  });
  const norm = (name: string): TensorSpec => ({ name, dtype: 'BF16', shape: [hidden] });
  const keyValue = KEY_VALUE_HEADS * HEAD_DIM;
  const layer = (at: string): TensorSpec[] => [
    norm(`${at}input_layernorm.weight`),
    matrix(`${at}mlp.down_proj.weight`, hidden, 4 * hidden),
    matrix(`${at}mlp.gate_proj.weight`, 4 * hidden, hidden),
    matrix(`${at}mlp.up_proj.weight`, 4 * hidden, hidden),
    norm(`${at}post_attention_layernorm.weight`),
    matrix(`${at}self_attn.k_proj.weight`, keyValue, hidden),
    matrix(`${at}self_attn.o_proj.weight`, hidden, hidden),
    matrix(`${at}self_attn.q_proj.weight`, hidden, hidden),
    matrix(`${at}self_attn.v_proj.weight`, keyValue, hidden),
  ];
  return [
    matrix('model.embed_tokens.weight', vocabulary, hidden),
    ...Array.from({ length: layers }, (_, index) => layer(`model.layers.${String(index)}.`)).flat(),
    norm('model.norm.weight'),
  ];
}

/** In their order, a new file begun where the last one has its share of the bytes. */
function intoFiles(tensors: readonly TensorSpec[], count: number): TensorSpec[][] {
  let left = tensors.reduce((sum, tensor) => sum + tensorByteLength(tensor), 0);
  const files: TensorSpec[][] = [[]];
  let bytes = 0;
  for (const tensor of tensors) {
    if (bytes > 0 && files.length < count && bytes >= left / (count - files.length + 1)) {
      left -= bytes;
      bytes = 0;
      files.push([]);
    }
    files.at(-1)?.push(tensor);
    bytes += tensorByteLength(tensor);
  }
  return files;
}

async function writeWeights(folder: string, path: string, tensors: readonly TensorSpec[]): Promise<BenchFile> {
  const { headerBytes, dataByteLength } = layoutFile(tensors);
  const hash = createHash('sha256').update(headerBytes);
  const handle = await open(join(folder, path), 'wx');
  try {
    await handle.writeFile(headerBytes);
    const block = Buffer.alloc(8 * MiB);
    for (let left = dataByteLength; left > 0; left -= block.length) {
      const bytes = randomFillSync(block.subarray(0, Math.min(left, block.length)));
      hash.update(bytes);
      await handle.writeFile(bytes);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { path, size: headerBytes.length + dataByteLength, sha256: hash.digest('hex') };
}

function number(value: number): string {
  return String(value).padStart(5, '0');
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `token-${String(index)}`);
}
