import { describe, expect, test } from 'vitest';
import { fileSelection, type FileSelection } from '../../src/core/identity.js';
import { describeSelection } from '../../src/hub/describe-selection.js';
import type { HubFile } from '../../src/hub/hub.js';
import { selectFiles } from '../../src/hub/select-files.js';

const all: FileSelection = { kind: 'all', include: [], exclude: [] };
const vllm: FileSelection = { ...all, kind: 'vllm' };

function filesAt(...paths: string[]): HubFile[] {
  return paths.map((path) => ({ path, size: 1, digest: { algorithm: 'gitSha1', hex: '0'.repeat(40) } }));
}

function select(selection: FileSelection, ...paths: string[]): string[] {
  return selectFiles(filesAt(...paths), selection).map(({ path }) => path);
}

/** The paths that `selection: vllm` leaves out. */
function leftOut(...paths: string[]): string[] {
  const kept = select(vllm, ...paths);
  return paths.filter((path) => !kept.includes(path));
}

describe('a selection of all files', () => {
  test('takes every file in the order of the listing', () => {
    expect(select(all, 'b', '.gitattributes', 'a/c')).toEqual(['b', '.gitattributes', 'a/c']);
  });

  test('takes what an include matches and no exclude does', () => {
    const selection = { ...all, include: ['*.json', 'onnx/'], exclude: ['*/secret*'] };
    expect(select(selection, 'a.json', 'x/a.json', 'onnx/secret.json', 'onnx/m.onnx', 'a.bin')).toEqual([
      'a.json',
      'x/a.json',
      'onnx/m.onnx',
    ]);
  });

  test('says how many files there are and which globs took none of them', () => {
    const selection = { ...all, include: ['*.safetensor'], exclude: ['b*'] };
    expect(() => select(selection, 'a.json', 'b.json')).toThrow(
      expect.objectContaining({
        code: 'NothingSelected',
        message: expect.stringMatching(/None of the 2 files.*include "\*\.safetensor"; exclude "b\*"/) as string,
      })
    );
  });

  test('says that an empty repo is empty', () => {
    expect(() => select(all)).toThrow(/^NothingSelected: The repo has no files\./);
  });
});

describe('a listing that cannot be stored as it is', () => {
  test.each([
    ['../x', 'segment'],
    ['/etc/passwd', 'absolute'],
    ['a//b', 'segment'],
    ['a\\b', 'backslash'],
    ['a\nb', 'control character'],
    ['half \ud83d', 'Unicode'],
    ['.prefetch/manifest.json', 'own folder'],
  ])('is refused for %j', (path, why) => {
    expect(() => select(all, 'good', path)).toThrow(expect.objectContaining({ code: 'UnsafePath' }));
    expect(() => select(all, 'good', path)).toThrow(why);
  });

  test.each(['a\\b', 'a\nb', '.prefetch/manifest.json', 'x'.repeat(901)])(
    'may have %j, which cannot be stored, where it is left out',
    (path) => {
      expect(() => select(all, 'good', path)).toThrow('Leave it out with a glob (exclude, --exclude)');
      expect(select({ ...all, include: ['good'] }, 'good', path)).toEqual(['good']);
    }
  );

  test('may have a path twice, or as a file and as a folder, where that is left out', () => {
    expect(select({ ...all, exclude: ['a*'] }, 'good', 'a', 'a', 'a/b')).toEqual(['good']);
  });

  test('is refused for a path that climbs out, also where it is not even selected', () => {
    expect(() => select({ ...all, include: ['good'] }, 'good', '../x')).toThrow(/^UnsafePath/);
  });

  test('is refused for a path that comes twice', () => {
    expect(() => select(all, 'a', 'b', 'a')).toThrow(/^UnsafePath: .*"a" twice/);
  });

  test.each([
    ['a', 'a/b/c'],
    ['a/b/c', 'a/b'],
  ])('is refused where %s and %s make one path a file and a folder', (one, other) => {
    expect(() => select(all, one, other)).toThrow(/^UnsafePath: .*as a file and as a folder/);
  });

  test('may have a file beside a folder whose name only starts like it', () => {
    expect(select(all, 'a', 'a.d/b', 'ab/c')).toHaveLength(3);
  });
});

describe('a selection of what vLLM loads', () => {
  test('keeps config, tokenizer, templates, processors, remote code and text of a safetensors model', () => {
    expect(
      leftOut(
        ...['config.json', 'generation_config.json', 'model.safetensors.index.json', 'README.md', 'LICENSE'],
        ...['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors', 'USE_POLICY.md', 'LICENSE.txt'],
        ...['tokenizer.json', 'tokenizer_config.json', 'tokenizer.model', 'vocab.json', 'merges.txt', 'vocab.txt'],
        ...['special_tokens_map.json', 'added_tokens.json', 'qwen.tiktoken', 'tekken.json', 'params.json'],
        ...['chat_template.jinja', 'chat_template.json', 'additional_chat_templates/tool.jinja'],
        ...['preprocessor_config.json', 'processor_config.json', 'modeling_x.py', 'configuration_x.py', 'code/deep.py'],
        ...['sentence_bert_config.json', '1_Pooling/config.json', 'modules.json', 'adapter_config.json']
      )
    ).toEqual([]);
  });

  test('leaves out what other programs load', () => {
    const others = [
      ...['original/consolidated.00.pth', 'original/params.json', 'consolidated.safetensors', 'consolidated.00.pth'],
      ...['consolidated.safetensors.index.json', 'model.gguf', 'model.onnx', 'onnx/model.onnx', 'onnx/config.json'],
      ...['onnx/model.onnx_data', 'tf_model.h5', 'tf_model.h5.index.json', 'model.h5', 'flax_model.msgpack'],
      ...['flax_model.msgpack.index.json', 'rust_model.ot', 'coreml/x/weights/weight.bin', 'openvino_model.bin'],
      ...['openvino/openvino_model.xml', 'logo.png', 'assets/photo.jpg', '.gitattributes', 'pytorch_model.bin'],
      ...['pytorch_model.bin.index.json', 'model.pt', 'training_args.bin', 'optimizer.pt', 'rng_state.pth'],
      ...['checkpoint-500/model.safetensors', 'runs/events.out.tfevents'],
    ];
    expect(select(vllm, 'config.json', 'model.safetensors', ...others)).toEqual(['config.json', 'model.safetensors']);
  });

  test('takes .bin weights and their index where there are no safetensors', () => {
    const weights = ['pytorch_model-00001-of-00001.bin', 'pytorch_model.bin.index.json'];
    const others = ['training_args.bin', 'optimizer.bin', 'scheduler.bin', 'openvino_model.bin', 'x.pt'];
    expect(select(vllm, 'config.json', ...weights, ...others)).toEqual(['config.json', ...weights]);
  });

  test('takes .pt weights where there are no others, but no state of a training', () => {
    expect(select(vllm, 'model.pt', 'optimizer.pt', 'scheduler.pt', 'scaler.pt')).toEqual(['model.pt']);
  });

  test('takes consolidated safetensors where a repo has nothing else', () => {
    expect(select(vllm, 'params.json', 'consolidated.safetensors', 'tekken.json')).toHaveLength(3);
  });

  test('lets weights at the top decide for folders below', () => {
    expect(leftOut('pytorch_model.bin', 'sub/model.safetensors', 'sub/pytorch_model.bin')).toEqual([
      'sub/model.safetensors',
    ]);
    expect(leftOut('sub/model.safetensors', 'sub/pytorch_model.bin')).toEqual(['sub/pytorch_model.bin']);
  });

  test('keeps the weights of a sentence-transformers module in the format that it has', () => {
    expect(leftOut('model.safetensors', '2_Dense/pytorch_model.bin', '2_Dense/config.json')).toEqual([]);
    expect(leftOut('model.safetensors', '2_Dense/pytorch_model.bin', '2_Dense/model.safetensors')).toEqual([
      '2_Dense/pytorch_model.bin',
    ]);
  });

  test('follows the globs before it chooses a format', () => {
    const selection = { ...vllm, exclude: ['*.safetensors'] };
    expect(select(selection, 'config.json', 'model.safetensors', 'pytorch_model.bin')).toEqual([
      'config.json',
      'pytorch_model.bin',
    ]);
  });

  test('fails for a repo whose weights vLLM cannot load, though its config would be selected', () => {
    expect(() => select(vllm, 'config.json', 'README.md', 'model.Q4.gguf')).toThrow(
      /^NothingSelected: No weights are in a format that vLLM loads/
    );
  });

  test('takes a repo without any weights, such as a tokenizer, also with the arguments of its training', () => {
    expect(select(vllm, 'tokenizer.json', 'tokenizer_config.json')).toHaveLength(2);
    expect(select(vllm, 'tokenizer.json', 'training_args.bin')).toEqual(['tokenizer.json']);
  });

  test('says what to do with a repo of GGUF, which vLLM loads by one file', () => {
    expect(() => select(vllm, 'config.json', 'model.Q4.gguf')).toThrow(
      /one is model\.Q4\.gguf\..*selection "all" and an include/
    );
  });

  test('keeps what no list of endings would name: vocabularies, merges, arrays and versions of a tokenizer', () => {
    const files = [
      ...['tokenizer.model', 'tokenizer.model.v3', 'tokenizer.mm.model.v7m1', 'bpe.codes', 'vocab.pkl', 'mean.npy'],
      ...['prophetnet.tokenizer', 'vocab.bpe', 'bpe_simple_vocab_16e6.txt.gz', 'voices.npz', 'some.file', 'nothing'],
    ];
    expect(leftOut('model.safetensors', ...files)).toEqual([]);
  });

  test('keeps the format of each folder that has a config of its own', () => {
    const whisper = ['whisper-large-v3/config.json', 'whisper-large-v3/pytorch_model.bin'];
    expect(leftOut('config.json', 'model.safetensors', ...whisper)).toEqual([]);
    expect(leftOut('config.json', 'model.safetensors', ...whisper, 'whisper-large-v3/model.safetensors')).toEqual([
      'whisper-large-v3/pytorch_model.bin',
    ]);
    // No model of its own, but the same weights for another program.
    expect(leftOut('config.json', 'model.safetensors', 'fp16/pytorch_model.bin')).toEqual(['fp16/pytorch_model.bin']);
  });

  test('keeps an adapter beside a model, in one format', () => {
    const adapter = ['adapter_config.json', 'adapter_model.safetensors'];
    expect(leftOut('model.safetensors', ...adapter, 'adapter_model.bin')).toEqual(['adapter_model.bin']);
    expect(leftOut('model.safetensors', 'adapter_config.json', 'adapter_model.bin')).toEqual([]);
    expect(leftOut('adapter_config.json', 'adapter_model.bin', 'training_args.bin')).toEqual(['training_args.bin']);
  });

  test('leaves no consolidated file in any folder beside weights of Hugging Face, for vLLM looks in all of them', () => {
    const mistral = ['sub/consolidated.safetensors', 'sub/config.json', 'consolidated-00001-of-00002.safetensors'];
    expect(leftOut('model.safetensors', ...mistral)).toEqual([mistral[0], mistral[2]]);
  });
});

describe('a layout of weights that was asked for', () => {
  const asked = (weights: 'hf' | 'mistral', exclude: string[] = []) =>
    fileSelection({ selection: 'vllm', include: [], exclude, weights });
  const hf = ['model-00001-of-00001.safetensors', 'model.safetensors.index.json'];
  const mistral = ['consolidated.safetensors', 'consolidated.safetensors.index.json'];
  const others = ['config.json', 'params.json', 'tekken.json', 'tokenizer.model.v3', 'tokenizer.json'];

  test('is the one that is kept, with all that goes with the model', () => {
    const bins = ['pytorch_model.bin', 'pytorch_model.bin.index.json'];
    expect(select(asked('mistral'), ...hf, ...mistral, ...bins, ...others)).toEqual([...mistral, ...others]);
    expect(select(asked('hf'), ...hf, ...mistral, ...bins, ...others)).toEqual([...hf, ...others]);
    expect(select(vllm, ...hf, ...mistral, ...others)).toEqual([...hf, ...others]);
  });

  test.each(['controlnet', 'converted', 'co', 'consolidate', 'codec', 'model', 'sub/x'])(
    'is the one that is kept beside %s.safetensors',
    (name) => {
      expect(select(asked('mistral'), `${name}.safetensors`, ...mistral)).toEqual(mistral);
    }
  );

  test.each([
    ['mistral', hf, 'consolidated'],
    ['mistral', [], 'consolidated'],
    ['mistral', ['codec.safetensors', 'content.safetensors'], 'consolidated'],
    ['hf', mistral, 'layout of Hugging Face'],
  ] as const)('fails where the repo has none of layout %s: %j', (weights, files, reason) => {
    const selecting = () => select(asked(weights), ...files, ...others);
    expect(selecting).toThrow(expect.objectContaining({ code: 'NothingSelected' }));
    expect(selecting).toThrow(reason);
    expect(selecting).toThrow(`weights "${weights}"`);
  });

  test('fails where its files are excluded', () => {
    expect(() => select(asked('mistral', ['consolidated*']), ...hf, ...mistral)).toThrow(/^NothingSelected/);
  });
});

describe('what is told of a selection', () => {
  const told = (selection: FileSelection, ...paths: string[]) => describeSelection(filesAt(...paths), selection);

  test('is the format with its reason, and what is left out for which reason', () => {
    const others = ['a.gguf', 'b.gguf', 'c.gguf', 'd.gguf', 'e.gguf', 'f.gguf', 'logo.png', 'pytorch_model.bin'];
    expect(told({ ...vllm, exclude: ['*.md'] }, 'config.json', 'model.safetensors', 'README.md', ...others)).toEqual({
      weights: 'safetensors',
      reason: expect.stringContaining('first that is there') as string,
      leftOut: [
        { reason: 'weights or files of other programs', files: 6, bytes: 6, some: others.slice(0, 5) },
        { reason: 'pictures, sound, documents, data sets or archives', files: 1, bytes: 1, some: ['logo.png'] },
        { reason: 'weights in another format', files: 1, bytes: 1, some: ['pytorch_model.bin'] },
        { reason: 'include, exclude or weights', files: 1, bytes: 1, some: ['README.md'] },
      ],
    });
  });

  test.each([
    [vllm, 'safetensors', 'which weights "mistral" chooses'],
    [fileSelection({ selection: 'vllm', include: [], exclude: [], weights: 'hf' }), 'safetensors', 'was asked for'],
    [fileSelection({ selection: 'vllm', include: [], exclude: [], weights: 'mistral' }), 'consolidated', 'was asked'],
  ] as const)('names both layouts where a repo has both', (selection, weights, reason) => {
    const { reason: given, ...rest } = told(selection, 'model.safetensors', 'consolidated.safetensors');
    expect(rest.weights).toBe(weights);
    expect(given).toContain(reason);
  });

  test('says that there are none, or none in the layout of Hugging Face', () => {
    expect(told(vllm, 'tokenizer.json')).toEqual({ reason: 'there are no weights that vLLM loads', leftOut: [] });
    expect(told(vllm, 'consolidated.safetensors').reason).toBe('there are none in the layout of Hugging Face');
  });
});
