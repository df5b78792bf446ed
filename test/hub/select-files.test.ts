import { describe, expect, test } from 'vitest';
import type { FileSelection } from '../../src/core/identity.js';
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

  test('is refused for an unsafe path that is not even selected', () => {
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

  test('takes a repo without any weights, such as a tokenizer', () => {
    expect(select(vllm, 'tokenizer.json', 'tokenizer_config.json')).toHaveLength(2);
  });
});
