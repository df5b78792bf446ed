import { describe, expect, test } from 'vitest';
import { sideFiles, weightsFiles } from '../../../src/shard/checkpoint/model-files.js';

const asFiles = (paths: readonly string[]) => paths.map((path) => ({ path }));
const pathsOf = (files: readonly { path: string }[]) => files.map(({ path }) => path);

describe('files beside the weights', () => {
  test.each([
    'config.json',
    'generation_config.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'tokenizer.model',
    'special_tokens_map.json',
    'added_tokens.json',
    'vocab.json',
    'merges.txt',
    'chat_template.jinja',
    'chat_template.json',
    'preprocessor_config.json',
    'processor_config.json',
    'modeling_custom.py',
    'configuration_custom.py',
    'README.md',
    'LICENSE',
    'LICENSE.txt',
    'USE_POLICY.md',
    'qwen.tiktoken',
    'additional_chat_templates/tool_use.jinja',
    '1_Pooling/config.json',
    'model.safetensors.index.json.txt',
  ])('are %s', (path) => {
    expect(pathsOf(sideFiles(asFiles([path])))).toEqual([path]);
  });

  test.each([
    'model.safetensors',
    'model-00001-of-00002.safetensors',
    'model.safetensors.index.json',
    'pytorch_model.bin.index.json',
    'pytorch_model.bin',
    'consolidated.00.pth',
    'consolidated.safetensors',
    'consolidated.safetensors.index.json',
    'model.gguf',
    'model.onnx',
    'tf_model.h5',
    'flax_model.msgpack',
    'optimizer.pt',
    'weights.ckpt',
    '1_Dense/model.safetensors',
    '.gitattributes',
    '.cache/huggingface/download/config.json.metadata',
    '.git/config',
    'sub/.hidden',
    'original/params.json',
    'original/tokenizer.model',
    'ORIGINAL/params.json',
    'a/onnx/config.json',
    'gguf/readme.txt',
    'openvino/openvino_model.xml',
    'coreml/config.json',
    'runs/events.txt',
    'checkpoint-500/config.json',
    'figures/plot.png',
    'photo.JPEG',
    'paper.pdf',
    'notebook.ipynb',
    'data.parquet',
    'archive.tar.gz',
    'state.pkl',
    'arrays.npz',
    'code.zip',
  ])('are not %s', (path) => {
    expect(sideFiles(asFiles([path]))).toEqual([]);
  });

  test.each(['originals/a.json', 'my-onnx/a.json', 'checkpoint-x/a.json', 'onnx.json'])(
    'may be called nearly like those of other programs: %s',
    (path) => {
      expect(sideFiles(asFiles([path]))).toHaveLength(1);
    }
  );
});

describe('weights', () => {
  const files = asFiles([
    'model-00001-of-00002.safetensors',
    'model-00002-of-00002.safetensors',
    'extra.safetensors',
    'consolidated.safetensors',
    'consolidated-00001-of-00002.safetensors',
    'sub/model.safetensors',
    'pytorch_model.bin',
    'model.safetensors.txt',
  ]);

  test('are the safetensors at the top, but for those that Mistral has for its own programs', () => {
    expect(pathsOf(weightsFiles(files, undefined))).toEqual([
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'extra.safetensors',
    ]);
  });

  test('are only those that the index names, where there is one', () => {
    const indexed = new Set(['model-00002-of-00002.safetensors', 'sub/model.safetensors', 'consolidated.safetensors']);
    expect(pathsOf(weightsFiles(files, indexed))).toEqual(['model-00002-of-00002.safetensors']);
  });
});
