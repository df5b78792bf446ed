import { describe, expect, test } from 'vitest';
import { sideFiles, vllmFiles } from '../../src/hub/vllm-files.js';

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
    'tokenizer.model.v3',
    'vocab.pkl',
    'bpe.codes',
    'mean.npy',
    'voices.npz',
    '2_Dense/model.safetensors',
    '2_Dense/pytorch_model.bin',
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
    'weights.npz',
    'trainer_state.json',
    'sub/training_args.bin',
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

  test('are what vLLM loads of the same files, but for the weights at the top, and none more when asked again', () => {
    const weights = ['model-00001-of-00001.safetensors', 'model.safetensors.index.json'];
    const others = ['config.json', 'tokenizer.model.v3', 'sub/config.json', 'sub/model.safetensors', 'logo.png'];
    const files = asFiles([...weights, 'pytorch_model.bin', 'sparse_linear.pt', ...others, 'sub/model.bin']);
    const side = sideFiles(files);
    expect(pathsOf(side)).toEqual(['config.json', 'tokenizer.model.v3', 'sub/config.json', 'sub/model.safetensors']);
    const kept = pathsOf(vllmFiles(files));
    expect(pathsOf(side).every((path) => kept.includes(path))).toBe(true);
    expect(sideFiles(side)).toEqual(side);
  });
});
