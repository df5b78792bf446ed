import { describe, expect, test } from 'vitest';
import { NEWEST_VERIFIED_VLLM } from '../../src/core/vllm-releases.js';
import { parseHeader } from '../../src/safetensors/index.js';
import { layOutRanks, type RankLayout } from '../../src/shard/rank-layout.js';
import { random } from '../helpers/random.js';
import { refusal } from '../helpers/refusal.js';
import { DEFAULT_PATTERN } from '../helpers/shard-setup.js';
import { tensorsOf, weightsFile } from './layout/checkpoints.js';
import { configOf, llama, qwen2Moe } from './layout/configs.js';

/** Empty, by the format: the length 8, two braces, and six spaces. */
const EMPTY = Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20);
const EMBEDDING_BYTES = 1024 * 64 * 2;

function plan(change: { config?: object; ranks?: number; maxFileSize?: number } = {}): RankLayout {
  const { config = llama, ranks = 1, maxFileSize = Number.MAX_SAFE_INTEGER } = change;
  const files = [weightsFile('model.safetensors', tensorsOf(config))];
  const rest = { dtype: 'auto', vllmVersion: NEWEST_VERIFIED_VLLM, filePattern: DEFAULT_PATTERN };
  return layOutRanks({ config, files, ranks, maxFileSize, ...rest });
}

describe('parts', () => {
  test('are one where all fits', () => {
    expect(plan().parts.map(({ number: part, tensors }) => [part, tensors.length])).toEqual([[0, 23]]);
  });

  test('start with an empty one where the first tensor is larger than a part, as those of vLLM do', () => {
    const { parts } = plan({ maxFileSize: EMBEDDING_BYTES - 1 });
    expect(parts[0]).toMatchObject({ number: 0, size: 16, tensors: [] });
    expect(Buffer.compare(parts[0]?.headerBytes ?? Buffer.alloc(0), EMPTY)).toBe(0);
    expect(parts[1]?.tensors.map(({ name }) => name)).toEqual(['model.embed_tokens.weight']);
  });

  test('hold a tensor that is just as large as a part', () => {
    expect(plan({ maxFileSize: EMBEDDING_BYTES }).parts[0]?.tensors.map(({ name }) => name)).toEqual([
      'model.embed_tokens.weight',
    ]);
  });

  test('are one for each tensor where none fits, and the empty one before them', () => {
    const { parts } = plan({ maxFileSize: 1 });
    expect(parts.map(({ tensors }) => tensors.length)).toEqual([0, ...Array.from({ length: 23 }, () => 1)]);
    expect(parts.map(({ number: part }) => part)).toEqual(parts.map((_, index) => index));
  });

  test.each([1, 2, 4, 8])('are filled greedily in the order of the state dict, for %i ranks', (ranks) => {
    const numbers = random(ranks);
    const order = plan({ ranks, maxFileSize: 1 }).parts.flatMap(({ tensors }) => tensors);
    for (let round = 0; round < 20; round++) {
      const maxFileSize = 1 + numbers.int(200_000);
      // The rule in its shortest form, over sizes alone.
      const expected: string[][] = [[]];
      let bytes = 0;
      for (const { name, start, end } of order) {
        if (bytes + end - start > maxFileSize) {
          expected.push([]);
          bytes = 0;
        }
        expected.at(-1)?.push(name);
        bytes += end - start;
      }
      const found = plan({ ranks, maxFileSize }).parts.map(({ tensors }) => tensors.map(({ name }) => name).sort());
      expect(found).toEqual(expected.map((names) => names.sort()));
    }
  });

  test('have a header that says what follows it, to the last byte', () => {
    for (const config of [llama, qwen2Moe]) {
      for (const { headerBytes, size, tensors } of plan({ config, ranks: 2, maxFileSize: 50_000 }).parts) {
        const header = parseHeader(headerBytes, size);
        expect(header.metadata).toBeUndefined();
        expect(header.tensors).toEqual(
          tensors.map(({ name, dtype, shape, start, end }) => ({
            name,
            dtype,
            shape,
            begin: start - headerBytes.length,
            end: end - headerBytes.length,
          }))
        );
        expect(headerBytes.length % 8).toBe(0);
      }
    }
  });
});

describe('ranks', () => {
  // One header for all of them: a rank's number decides the bytes, never a name, a shape or a size.
  test.each([2, 4, 8])('of %i divide what is split and repeat what is not', (ranks) => {
    const [whole] = plan().parts;
    const [part] = plan({ ranks }).parts;
    const bytes = (name: string) => [whole, part].map((each) => sizeOf(each, name));
    for (const name of ['model.embed_tokens.weight', 'model.layers.0.mlp.down_proj.weight']) {
      const [all = NaN, mine] = bytes(name);
      expect(mine).toBe(all / ranks);
    }
    const [all, mine] = bytes('model.norm.weight');
    expect(mine).toBe(all);
  });

  test('that do not fit are refused before the tensors are looked at', () => {
    const request = { config: llama, files: [], ranks: 3, dtype: 'auto', vllmVersion: NEWEST_VERIFIED_VLLM };
    const place = { maxFileSize: 1, filePattern: DEFAULT_PATTERN };
    expect(refusal(() => layOutRanks({ ...request, ...place })).reason).toBe('tensor-parallel-size');
  });
});

describe('a head that differs from the embedding which the config says it is tied to', () => {
  const tied = { tie_word_embeddings: true };
  const planned = (config: { tie_word_embeddings?: boolean }, vllmVersion: string) => {
    const headDiffers = config.tie_word_embeddings === true;
    const files = [weightsFile('model.safetensors', tensorsOf({ ...config, tie_word_embeddings: false }))];
    const place = { maxFileSize: Number.MAX_SAFE_INTEGER, filePattern: DEFAULT_PATTERN };
    return layOutRanks({ config, files, ranks: 1, dtype: 'auto', vllmVersion, ...place, headDiffers });
  };

  test('is kept beside it', () => {
    const names = planned({ ...llama, ...tied }, '0.32.0').parts[0]?.tensors.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['lm_head.weight', 'model.embed_tokens.weight']));
  });

  test('is refused where a release of vLLM has no place for it', () => {
    const gemma = configOf('GemmaForCausalLM', 'gemma', { ...tied, num_key_value_heads: 8, head_dim: 8 });
    expect(planned(gemma, '0.29.0').parts).toHaveLength(1);
    for (const config of [gemma, { ...gemma, tie_word_embeddings: false }]) {
      expect(refusal(() => planned(config, '0.28.0'))).toMatchObject({
        code: 'UnsupportedSharding',
        reason: 'tied-embeddings',
        details: { architecture: 'GemmaForCausalLM' },
      });
    }
  });
});

function sizeOf(part: RankLayout['parts'][number] | undefined, name: string): number | undefined {
  const tensor = part?.tensors.find((each) => each.name === name);
  return tensor === undefined ? undefined : tensor.end - tensor.start;
}
