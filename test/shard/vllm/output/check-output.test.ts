import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { layoutFile, type TensorSpec } from '../../../../src/safetensors/index.js';
import { checkOutput } from '../../../../src/shard/vllm/output/check-output.js';
import { failure, live } from '../../../helpers/transfer-setup.js';
import { shardArgs } from '../shard-args.js';
import { fileOf, foldersWith, llamaRank, llamaSource, tensor } from '../shard-files.js';

const name = (rank: number, part = 0) => `model-rank-${rank}-part-${part}.safetensors`;
const source = { 'model.safetensors': llamaSource };
const two = (rank: readonly TensorSpec[]) => ({ [name(0)]: rank, [name(1)]: rank });

const check = async (files: Parameters<typeof foldersWith>[0], expected?: ReadonlyMap<string, readonly TensorSpec[]>) =>
  checkOutput({ args: shardArgs(), ...(expected && { expected }) }, await foldersWith(files), live());

const incomplete = async (...given: Parameters<typeof check>): Promise<string> => {
  const error = await failure(check(...given));
  expect(error).toMatchObject({ code: 'ShardsIncomplete', permanent: true });
  return String(error);
};

describe('shards that hold the whole model', () => {
  test('are listed by rank and part', async () => {
    const [first, second] = [llamaRank.slice(0, 5), llamaRank.slice(5)];
    const output = { [name(0)]: first, [name(0, 1)]: second, [name(1)]: first, [name(1, 1)]: second };
    const { files, holdsBothEmbeddings } = await check({ source, output });
    expect(files.map(({ name: file, rank, part }) => [file, rank, part])).toEqual([
      [name(0), 0, 0],
      [name(0, 1), 0, 1],
      [name(1), 1, 0],
      [name(1, 1), 1, 1],
    ]);
    expect(files[0]?.size).toBe(fileOf(first).length);
    expect(holdsBothEmbeddings).toBe(false);
  });

  test('may start with an empty part, as vLLM writes it before a tensor that fills one', async () => {
    const output = { [name(0)]: [], [name(0, 1)]: llamaRank, [name(1)]: [], [name(1, 1)]: llamaRank };
    expect((await check({ source, output })).files).toHaveLength(4);
  });

  test('need not repeat an output embedding that the source has twice', async () => {
    const twice = { 'model.safetensors': [...llamaSource, tensor('lm_head.weight', [100, 16])] };
    expect((await check({ source: twice, output: two(llamaRank) })).files).toHaveLength(2);
  });

  test('are recognised as untied when they hold both embeddings', async () => {
    const output = two([...llamaRank, tensor('model.embed_tokens.weight', [64, 16])]);
    expect((await check({ source, output })).holdsBothEmbeddings).toBe(true);
  });

  test('need not hold the masks of an old checkpoint', async () => {
    const old = { 'model.safetensors': [...llamaSource, tensor('h.0.attn.bias', [1, 1, 100, 100], 'F32')] };
    expect((await check({ source: old, output: two(llamaRank) })).files).toHaveLength(2);
  });

  test('may be cast, and may come from weights in several files', async () => {
    const cast = llamaSource.map((given) => ({ ...given, dtype: 'F32' as const }));
    const split = { 'a.safetensors': cast.slice(0, 7), 'b.safetensors': cast.slice(7) };
    expect((await check({ source: split, output: two(llamaRank) })).files).toHaveLength(2);
  });

  test('may be named otherwise, as asked', async () => {
    const folders = await foldersWith({
      source,
      output: { '0_of_0.safetensors': llamaRank, '1_of_0.safetensors': llamaRank },
    });
    const args = shardArgs({ filePattern: '{rank}_of_{part}.safetensors' });
    expect((await checkOutput({ args }, folders, live())).files.map((file) => file.rank)).toEqual([0, 1]);
  });
});

describe('files that are not those of every rank:', () => {
  test.each([
    ['none at all', {}, `there is no ${name(0)}`],
    ['a rank is missing', { [name(0)]: llamaRank }, `there is no ${name(1)}`],
    ['rank 0 is missing', { [name(1)]: llamaRank }, `there is no ${name(0)}`],
    ['a rank too many', { ...two(llamaRank), [name(2)]: llamaRank }, `there is ${name(2)}, which is none of theirs`],
    ['a part of one rank is missing', { ...two(llamaRank), [name(1, 1)]: [] }, `there is no ${name(0, 1)}`],
    ['a hole between parts', { ...two(llamaRank), [name(0, 2)]: [], [name(1, 2)]: [] }, `there is ${name(0, 2)}`],
    ['a stranger', { ...two(llamaRank), 'model.safetensors': [] }, 'there is model.safetensors'],
  ])('%s', async (_what, output, words) => {
    expect(await incomplete({ source, output })).toContain(words);
  });

  test('ranks with different tensors', async () => {
    const output = { [name(0)]: llamaRank, [name(1)]: [...llamaRank.slice(1), tensor('other', [64, 16])] };
    expect(await incomplete({ source, output })).toContain(`${name(1)}: rank 1 has other tensors than rank 0`);
  });

  test('a tensor in two parts', async () => {
    const output = { ...two(llamaRank), [name(0, 1)]: llamaRank.slice(0, 1), [name(1, 1)]: llamaRank.slice(0, 1) };
    expect(await incomplete({ source, output })).toContain('lm_head.weight is in several parts');
  });
});

test('a name that would forge a line of the failure, or reach a terminal, stays in its line', async () => {
  const strange = tensor('x\nCode: forged\u001b[2J', [64, 16]);
  const parts = { [name(0, 1)]: [strange], [name(1, 1)]: [strange] };
  const output = { ...two([...llamaRank, strange]), ...parts };
  expect(await incomplete({ source, output })).toContain('x Code: forged\ufffd[2J is in several parts');
});

describe('a file that is damaged', () => {
  test.each([
    ['cut off', (bytes: Uint8Array) => bytes.subarray(0, -1)],
    ['with bytes too many', (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.alloc(1)])],
    ['cut off in its header', (bytes: Uint8Array) => bytes.subarray(0, 100)],
    ['of 4 bytes', (bytes: Uint8Array) => bytes.subarray(0, 4)],
    ['that is empty', () => new Uint8Array(0)],
    ['without a header', (bytes: Uint8Array) => bytes.map((byte, index) => (index < 8 ? byte : 0))],
  ])('%s is named', async (_how, damage) => {
    const folders = await foldersWith({ source, output: two(llamaRank) });
    await writeFile(join(folders.output, name(1)), damage(fileOf(llamaRank)));
    const error = await failure(checkOutput({ args: shardArgs() }, folders, live()));
    expect(error).toMatchObject({ code: 'ShardsIncomplete', cause: { code: 'InvalidSafetensors' } });
    expect(String(error)).toContain(`${name(1)}: InvalidSafetensors`);
  });
});

describe('weights that were dropped', () => {
  test('are noticed and named when an engine on a CPU saved the rest and reported success', async () => {
    const dropped = /qkv_proj|o_proj|gate_up_proj|down_proj/;
    const text = await incomplete({ source, output: two(llamaRank.filter((kept) => !dropped.test(kept.name))) });
    expect(text).toContain('all ranks together hold 1684 elements, 18.0 % of the 9360 in the source');
    for (const projection of ['q_proj', 'v_proj', 'o_proj', 'gate_proj', 'down_proj']) {
      expect(text).toMatch(new RegExp(`model\\.layers\\.\\*\\.[a-z_]+\\.${projection}\\.weight`));
    }
    expect(text).not.toMatch(/layernorm|inv_freq|embed_tokens/);
  });

  test('are noticed when one kind of them is missing', async () => {
    const text = await incomplete({ source, output: two(llamaRank.filter((kept) => !kept.name.includes('o_proj'))) });
    expect(text).toContain('nothing in them is named after model.layers.*.self_attn.o_proj.weight');
  });

  test('are noticed when one layer of them is missing', async () => {
    await incomplete({ source, output: two(llamaRank.filter((kept) => !kept.name.includes('layers.1.'))) });
  });

  test('are not made up for by tensors that every rank has whole', async () => {
    const whole = tensor('model.big_norm.weight', [1000, 10]);
    const given = { 'model.safetensors': [...llamaSource, whole] };
    const output = two([...llamaRank.filter((kept) => !kept.name.includes('mlp')), whole]);
    await incomplete({ source: given, output });
  });
});

describe('what the source holds', () => {
  const index = (weightMap: Record<string, string>) => JSON.stringify({ weight_map: weightMap });
  const withIndex = async (weightMap: Record<string, string>, given: Parameters<typeof foldersWith>[0]) => {
    const folders = await foldersWith(given);
    await writeFile(join(folders.source, 'model.safetensors.index.json'), index(weightMap));
    return checkOutput({ args: shardArgs() }, folders, live());
  };
  const [first, rest] = [llamaSource.slice(0, 7), llamaSource.slice(7)];

  test('is what its index names: a file that is not there is missed', async () => {
    const given = { source: { 'a.safetensors': first }, output: two(llamaRank.slice(0, 7)) };
    expect(await failure(withIndex({ x: 'a.safetensors', y: 'b.safetensors' }, given))).toMatchObject({
      code: 'IncompleteCheckpoint',
      details: { files: ['b.safetensors'] },
    });
  });

  test('is what its index names: a file that it does not name is not read by vLLM', async () => {
    const more = { 'z.safetensors': [tensor('other.weight', [1000, 100])] };
    const given = { source: { 'a.safetensors': first, 'b.safetensors': rest, ...more }, output: two(llamaRank) };
    expect((await withIndex({ x: 'a.safetensors', y: 'b.safetensors' }, given)).files).toHaveLength(2);
  });

  test('is counted where only the format forbids its header, for vLLM has read it', async () => {
    const folders = await foldersWith({ source, output: two(llamaRank) });
    const header = Buffer.from('{"__metadata__":{"a":"1","a":"2"}}');
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(header.length));
    await writeFile(join(folders.source, 'more.safetensors'), Buffer.concat([prefix, header]));
    expect((await checkOutput({ args: shardArgs() }, folders, live())).files).toHaveLength(2);
  });
});

describe('a layout that is known', () => {
  const expected = new Map([
    [name(0), layoutFile(llamaRank).tensors],
    [name(1), layoutFile(llamaRank).tensors],
  ]);

  test('agrees with files that are like it', async () => {
    expect((await check({ output: two(llamaRank) }, expected)).files).toHaveLength(2);
  });

  const changed = (index: number, change: Partial<TensorSpec>) =>
    llamaRank.map((given, position) => (position === index ? { ...given, ...change } : given));

  test.each([
    ['a tensor is missing', llamaRank.slice(1), 'lm_head.weight is missing'],
    ['there is one more', [...llamaRank, tensor('extra', [1])], 'extra is not in the layout'],
    ['a shape differs', changed(0, { shape: [16, 64] }), 'lm_head.weight is BF16 [16, 64], expected BF16 [64, 16]'],
    ['a dtype differs', changed(0, { dtype: 'F16' }), 'lm_head.weight is F16 [64, 16], expected BF16 [64, 16]'],
  ])('and %s', async (_what, rank, words) => {
    expect(await incomplete({ output: two(rank) }, expected)).toContain(`${name(0)}: ${words}`);
  });

  test('and a part is missing', async () => {
    const more = new Map([...expected, [name(0, 1), []], [name(1, 1), []]]);
    expect(await incomplete({ output: two(llamaRank) }, more)).toContain(`there is no ${name(0, 1)}`);
  });

  test('and a part is too much', async () => {
    const output = { ...two(llamaRank), [name(0, 1)]: [], [name(1, 1)]: [] };
    expect(await incomplete({ output }, expected)).toContain(`there is ${name(0, 1)}, which the layout has not`);
  });

  test('and tensors lie in another order', async () => {
    const folders = await foldersWith({ output: two(llamaRank) });
    const swapped = [...layoutFile(llamaRank).tensors].reverse();
    const error = await failure(
      checkOutput(
        {
          args: shardArgs(),
          expected: new Map([
            [name(0), swapped],
            [name(1), swapped],
          ]),
        },
        folders,
        live()
      )
    );
    expect(String(error)).toContain('is not where the layout has it');
  });
});

test('only a few of many problems are told', async () => {
  const folders = await foldersWith({ source });
  for (let n = 0; n < 50; n++) await (await open(join(folders.output, `stranger-${n}`), 'w')).close();
  const error = await failure(checkOutput({ args: shardArgs() }, folders, live()));
  expect(String(error)).toContain('; and 41 more');
});
