import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseHeader } from '../../../src/safetensors/index.js';
import { sha256 } from '../../helpers/dir-content.js';
import { formulaModel, formulaWeights } from '../../helpers/formula-models.js';
import { lateRefusal } from '../../helpers/refusal.js';
import { measuredDigest } from '../../helpers/shard-repos.js';
import { runDigest, splitWeights } from '../../helpers/shard-setup.js';
import { publishAsDir, putFile, setUpJob, type JobSetup } from './setup.js';

const INDEX = 'model.safetensors.index.json';
const [FIRST, SECOND] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;

/** A checkpoint of two files with an index of these entries besides its own. */
async function inTwoFiles({ more = {}, files = {} }: { more?: object; files?: Record<string, Uint8Array> } = {}) {
  const setup = await setUpJob();
  const weights = splitWeights(formulaWeights(setup.model), 2);
  await rm(join(setup.source, 'model.safetensors'));
  const map: Record<string, string> = {};
  for (const [position, path] of [FIRST, SECOND].entries()) {
    const bytes = weights[position] ?? Buffer.alloc(0);
    await putFile(setup.source, path, bytes);
    for (const { name } of parseHeader(bytes, bytes.length).tensors) map[name] = path;
  }
  for (const [path, bytes] of Object.entries(files)) await putFile(setup.source, path, bytes);
  await putFile(setup.source, INDEX, JSON.stringify({ metadata: [], weight_map: { ...map, ...more } }));
  return { setup, map };
}

/** A weights file with one tensor of a model, whose bytes are others. */
async function overlayOf(tensor: string): Promise<Buffer> {
  const model = await formulaModel('llama-untied');
  const bytes = formulaWeights(model);
  const found = parseHeader(bytes, bytes.length).tensors.find(({ name }) => name === tensor);
  if (found === undefined) throw new Error(`There is no ${tensor}`);
  const { dtype, shape, begin, end } = found;
  const header = Buffer.from(JSON.stringify({ [tensor]: { dtype, shape, data_offsets: [0, end - begin] } }));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([prefix, header, Buffer.alloc(end - begin, 0x3c)]);
}

async function shardsOf(setup: JobSetup): Promise<{ readonly digest: string; readonly bytes: Buffer }> {
  await setup.run({ engine: 'auto' });
  const { files } = await setup.manifest();
  const shards = files.flatMap(({ path, sha256 }) =>
    path.endsWith('.safetensors') && sha256 !== undefined ? [{ path, sha256 }] : []
  );
  const bytes = await readFile(join(setup.target, 'model-rank-0-part-0.safetensors'));
  return { digest: runDigest(shards), bytes };
}

const NORM = 'model.norm.weight';
const measured = measuredDigest('llama-untied', { tp: 2 });

describe('a checkpoint with an overlay is sharded by auto with the tensors that the index names', () => {
  test.each(['a-overlay.safetensors', 'z-overlay.safetensors'])('where those lie in %s', async (path) => {
    const { setup } = await inTwoFiles({ more: { [NORM]: path }, files: { [path]: await overlayOf(NORM) } });
    const { digest, bytes } = await shardsOf(setup);
    expect(digest).not.toBe(measured);
    const norm = parseHeader(bytes, bytes.length).tensors.find(({ name }) => name === NORM);
    const start = parseHeader(bytes, bytes.length).headerByteLength;
    const { begin = 0, end = 0 } = norm ?? {};
    expect(bytes.subarray(start + begin, start + end)).toEqual(Buffer.alloc(end - begin, 0x3c));
    expect(end - begin).toBeGreaterThan(0);
  });

  test.each(['a-overlay.safetensors', 'z-overlay.safetensors'])('and without those of %s', async (path) => {
    const overlay = { 'rotary_emb.inv_freq': path };
    const { setup } = await inTwoFiles({ more: overlay, files: { [path]: await overlayOf(NORM) } });
    expect((await shardsOf(setup)).digest).toBe(measured);
  });

  test('and each file comes to the digest of its Dir, with what does not count of it', async () => {
    const path = 'z-overlay.safetensors';
    const { setup } = await inTwoFiles({ more: { [NORM]: path }, files: { [path]: await overlayOf(NORM) } });
    await publishAsDir(setup.source);
    await shardsOf(setup);
    const { sharding } = await setup.manifest();
    expect(sharding?.source.files.map((file) => file.path)).toEqual([FIRST, SECOND, path]);
    for (const { path: name, sha256: found } of sharding?.source.files ?? []) {
      expect(found).toBe(sha256(await readFile(join(setup.source, name))));
    }
  });

  test('but engine vllm is not held to it, for it takes the last file', async () => {
    const path = 'a-overlay.safetensors';
    const { setup } = await inTwoFiles({ more: { [NORM]: path }, files: { [path]: await overlayOf(NORM) } });
    const { summary } = await setup.plan({ engine: 'vllm' });
    expect(summary).toMatchObject({ engine: 'vllm', checks: 0 });
  });
});

describe('an overlay that native does not know', () => {
  const FALCON = '{"architectures": ["FalconForCausalLM"]}';
  const overlaid = async (tensor: string, path: string, config = FALCON) => {
    const { setup } = await inTwoFiles({ more: { [tensor]: path }, files: { [path]: await overlayOf(NORM) } });
    await putFile(setup.source, 'config.json', config);
    return setup;
  };
  const LLAMA_AWQ = JSON.stringify({
    architectures: ['LlamaForCausalLM'],
    quantization_config: { quant_method: 'awq' },
  });

  test.each([
    ['is of an unknown architecture', NORM, 'a-overlay.safetensors', FALCON],
    ['is quantized', NORM, 'a-overlay.safetensors', LLAMA_AWQ],
    ['counts by the base files', 'x.rotary_emb.inv_freq', 'z-overlay.safetensors', FALCON],
    ['has a lower number than the base files', NORM, 'model-00000-of-00002.safetensors', FALCON],
    ['has a lower number, in more digits', NORM, 'model-000001-of-00002.safetensors', FALCON],
  ])('ends auto for good where vLLM would take another file than the index, and %s', async (_what, ...made) => {
    const setup = await overlaid(...made);
    const refusal = await lateRefusal(setup.plan({ engine: 'auto' }));
    expect(refusal).toMatchObject({ code: 'InvalidSafetensors', reason: 'duplicate-tensor' });
    expect(refusal.message).toMatch(
      /the index takes the tensor model\.norm\.weight from .*, and engine vllm would take/
    );
    expect(refusal.message).toContain('ask for engine vllm to accept that');
    expect((await setup.plan({ engine: 'vllm' })).summary).toMatchObject({ engine: 'vllm' });
    expect(await lateRefusal(setup.plan())).toMatchObject({ code: 'UnsupportedSharding' });
  });

  test('ends auto also where only the format forbids a header', async () => {
    const header = Buffer.from('{"__metadata__":{"a":"1","a":"2"}}');
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(header.length));
    const { setup } = await inTwoFiles({
      more: { [NORM]: 'a-overlay.safetensors', gone: 'odd.safetensors' },
      files: { 'a-overlay.safetensors': await overlayOf(NORM), 'odd.safetensors': Buffer.concat([prefix, header]) },
    });
    expect(await lateRefusal(setup.plan({ engine: 'auto' }))).toMatchObject({ reason: 'duplicate-tensor' });
    expect(await lateRefusal(setup.plan())).toMatchObject({ code: 'UnsupportedSharding', reason: 'header' });
  });

  test('goes to vLLM where that takes what the index takes', async () => {
    for (const path of ['z-overlay.safetensors', 'model-00010-of-00002.safetensors']) {
      const setup = await overlaid(NORM, path);
      expect((await setup.plan({ engine: 'auto' })).summary).toMatchObject({ engine: 'vllm' });
    }
  });
});

describe('what vLLM does not mind is no reason for auto to leave native', () => {
  test('names in the index that no file holds, and its odd metadata', async () => {
    const { setup } = await inTwoFiles({ more: { 'model.layers.0.self_attn.rotary_emb.inv_freq': FIRST } });
    expect((await shardsOf(setup)).digest).toBe(measured);
  });

  test('names in the index that lie in the other file', async () => {
    const { setup } = await inTwoFiles({ more: { [NORM]: FIRST, 'lm_head.weight': FIRST } });
    expect((await shardsOf(setup)).digest).toBe(measured);
  });

  test('NaN and Infinity in config.json, and a quantization_config without a word in it', async () => {
    const setup = await setUpJob();
    const config = JSON.stringify({ ...setup.model.config, quantization_config: {} });
    const odd = config.replace('{', '{"a": NaN, "b": [Infinity, -Infinity], ');
    await putFile(setup.source, 'config.json', odd);
    expect((await shardsOf(setup)).digest).toBe(measured);
    expect(await readFile(join(setup.target, 'config.json'), 'utf8')).toBe(odd);
  });
});

describe.each(['auto', 'native', 'vllm'] as const)(
  'a broken checkpoint ends engine %s, and no GPU is asked for',
  (engine) => {
    const refused = async (setup: JobSetup) => {
      const { code, reason } = await lateRefusal(setup.plan({ engine }));
      return { code, reason };
    };

    test('whose index names a file that is not there, whatever its architecture', async () => {
      const { setup } = await inTwoFiles();
      await rm(join(setup.source, SECOND));
      expect(await refused(setup)).toEqual({ code: 'IncompleteCheckpoint', reason: 'missing-files' });
      await putFile(setup.source, 'config.json', '{"architectures": ["FalconForCausalLM"]}');
      expect(await refused(setup)).toEqual({ code: 'IncompleteCheckpoint', reason: 'missing-files' });
    });

    test('that lacks a number, without an index', async () => {
      const { setup } = await inTwoFiles();
      await rm(join(setup.source, INDEX));
      await rm(join(setup.source, FIRST));
      expect(await refused(setup)).toEqual({ code: 'IncompleteCheckpoint', reason: 'missing-files' });
    });

    test('that has no weights', async () => {
      const setup = await setUpJob();
      await rm(join(setup.source, 'model.safetensors'));
      expect(await refused(setup)).toEqual({ code: 'IncompleteCheckpoint', reason: 'no-weights' });
    });

    test('whose file is shorter than its header says, also where native does not know the model', async () => {
      const setup = await setUpJob();
      const whole = formulaWeights(setup.model);
      await putFile(setup.source, 'model.safetensors', whole.subarray(0, -1));
      expect(await refused(setup)).toEqual({ code: 'InvalidSafetensors', reason: 'truncated' });
      await putFile(setup.source, 'config.json', JSON.stringify({ quantization_config: { quant_method: 'awq' } }));
      expect(await refused(setup)).toEqual({ code: 'InvalidSafetensors', reason: 'truncated' });
    });

    test('whose weights are Git LFS pointers', async () => {
      const setup = await setUpJob();
      const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 4976698672\n`;
      await putFile(setup.source, 'model.safetensors', pointer);
      const { code, reason, message } = await lateRefusal(setup.plan({ engine }));
      expect({ code, reason }).toEqual({ code: 'InvalidSafetensors', reason: 'lfs-pointer' });
      expect(message).toMatch(/model\.safetensors: This is a Git LFS pointer, not the weights: run "git lfs pull"/);
    });

    test.each(['{"architectures": [', '[]', '\ufeff{}', 'version https://git-lfs.github.com/spec/v1\n'])(
      'whose config is %j',
      async (config) => {
        const setup = await setUpJob();
        await putFile(setup.source, 'config.json', config);
        expect(await refused(setup)).toEqual({ code: 'UnsupportedSharding', reason: 'config' });
      }
    );

    test('without a config', async () => {
      const setup = await setUpJob();
      await rm(join(setup.source, 'config.json'));
      expect(await refused(setup)).toEqual({ code: 'UnsupportedSharding', reason: 'config' });
    });
  }
);

describe('a tensor that config.json and the index promise', () => {
  test('is missing for every engine where no file holds it', async () => {
    const { setup, map } = await inTwoFiles();
    const without = splitWeights(formulaWeights(setup.model), 2)[0] ?? Buffer.alloc(0);
    await putFile(setup.source, SECOND, without);
    const missing = Object.entries(map).filter(([, path]) => path === SECOND);
    const { code, message } = await lateRefusal(setup.plan({ engine: 'auto' }));
    expect({ code }).toEqual({ code: 'IncompleteCheckpoint' });
    expect(message).toContain(`lacks ${String(missing.length)} tensors that config.json promises`);
  });
});

describe('two tensors of one name without an index', () => {
  const files = { 'z-overlay.safetensors': overlayOf(NORM) };

  test('end auto and native for good, and engine vllm takes what vLLM takes', async () => {
    const setup = await setUpJob();
    await putFile(setup.source, 'z-overlay.safetensors', await files['z-overlay.safetensors']);
    for (const engine of ['auto', 'native'] as const) {
      const { code, reason, message } = await lateRefusal(setup.plan({ engine }));
      expect({ code, reason }).toEqual({ code: 'InvalidSafetensors', reason: 'duplicate-tensor' });
      expect(message).toContain('model.safetensors and z-overlay.safetensors hold a tensor model.norm.weight each');
    }
    expect((await setup.plan({ engine: 'vllm' })).summary).toMatchObject({ engine: 'vllm', checks: 0 });
  });
});

test('a header that only the format forbids goes to vLLM, and is refused by native', async () => {
  const setup = await setUpJob();
  const bytes = formulaWeights(setup.model);
  const { headerByteLength } = parseHeader(bytes, bytes.length);
  const header = bytes.toString('utf8', 8, headerByteLength).replace('{', '{"__metadata__":{"a":"1","a":"2"},');
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  const odd = Buffer.concat([
    prefix,
    Buffer.from(header.replace('"__metadata__":{"format":"pt"},', '')),
    bytes.subarray(headerByteLength),
  ]);
  odd.writeBigUInt64LE(BigInt(odd.length - 8 - (bytes.length - headerByteLength)));
  await putFile(setup.source, 'model.safetensors', odd);
  for (const engine of ['auto', 'vllm'] as const) {
    expect((await setup.plan({ engine })).summary).toMatchObject({ engine: 'vllm' });
  }
  expect(await lateRefusal(setup.plan())).toMatchObject({ code: 'UnsupportedSharding', reason: 'header' });
});
