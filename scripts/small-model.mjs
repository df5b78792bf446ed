import { Buffer } from 'node:buffer';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const config = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  torch_dtype: 'bfloat16',
  hidden_size: 1024,
  intermediate_size: 2752,
  num_hidden_layers: 2,
  num_attention_heads: 16,
  num_key_value_heads: 4,
  vocab_size: 16384,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  hidden_act: 'silu',
  bos_token_id: 1,
  eos_token_id: 2,
  tie_word_embeddings: false,
};

/**
 * Writes a Llama of 100 megabytes: every tensor of the architecture in its right shape, with arbitrary values.
 * @param {string} folder - the repo's folder
 */
export async function makeSmallModel(folder) {
  const vocab = Object.fromEntries(Array.from({ length: config.vocab_size }, (_, id) => [tokenName(id), id]));
  const files = {
    'config.json': json(config),
    'generation_config.json': json({ bos_token_id: 1, eos_token_id: 2 }),
    'tokenizer.json': json({
      version: '1.0',
      added_tokens: [],
      model: { type: 'WordLevel', vocab, unk_token: '<unk>' },
    }),
    'tokenizer_config.json': json({ tokenizer_class: 'PreTrainedTokenizerFast', unk_token: '<unk>' }),
    'model.safetensors': safetensors(tensorShapes()),
    'original/params.json': json({ dim: config.hidden_size, n_layers: config.num_hidden_layers }),
    'README.md': '# A small Llama\n\nThe shapes are real, the values are not.\n',
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

function tokenName(id) {
  return ['<unk>', '<s>', '</s>'][id] ?? `token-${id}`;
}

function json(value) {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** Names and shapes of a Llama's tensors. */
function tensorShapes() {
  const { hidden_size: hidden, intermediate_size: inner, vocab_size: vocab } = config;
  const keyValue = (hidden / config.num_attention_heads) * config.num_key_value_heads;
  const layers = Array.from({ length: config.num_hidden_layers }, (_, layer) => [
    [`model.layers.${layer}.input_layernorm.weight`, [hidden]],
    [`model.layers.${layer}.mlp.down_proj.weight`, [hidden, inner]],
    [`model.layers.${layer}.mlp.gate_proj.weight`, [inner, hidden]],
    [`model.layers.${layer}.mlp.up_proj.weight`, [inner, hidden]],
    [`model.layers.${layer}.post_attention_layernorm.weight`, [hidden]],
    [`model.layers.${layer}.self_attn.k_proj.weight`, [keyValue, hidden]],
    [`model.layers.${layer}.self_attn.o_proj.weight`, [hidden, hidden]],
    [`model.layers.${layer}.self_attn.q_proj.weight`, [hidden, hidden]],
    [`model.layers.${layer}.self_attn.v_proj.weight`, [keyValue, hidden]],
  ]);
  return [
    ['lm_head.weight', [vocab, hidden]],
    ['model.embed_tokens.weight', [vocab, hidden]],
    ...layers.flat(),
    ['model.norm.weight', [hidden]],
  ];
}

/** A safetensors file: length of the header, header padded to eight bytes, tensors in bfloat16. */
function safetensors(shapes) {
  let end = 0;
  const entries = shapes.map(([name, shape]) => {
    const start = end;
    end += 2 * shape.reduce((product, size) => product * size, 1);
    return [name, { dtype: 'BF16', shape, data_offsets: [start, end] }];
  });
  const text = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) });
  const header = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, arbitraryValues(end)]);
}

/** Small numbers of both signs, the same in every run. */
function arbitraryValues(bytes) {
  const values = new Uint16Array(bytes / 2);
  let state = 1;
  for (let position = 0; position < values.length; position += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    // Sign and mantissa from the generator, an exponent that gives values of about 0.01.
    values[position] = ((state >>> 16) & 0x807f) | 0x3c00;
  }
  return Buffer.from(values.buffer);
}
