import { describe, expect, it } from 'vitest';
import { readRepoArgument } from '../../src/cli/repo-argument.js';
import { isPrefetchError } from '../../src/core/errors.js';

const mirror = () => 'https://hub.example.com/hf';

describe('readRepoArgument', () => {
  it.each([
    ['gpt2', { repo: 'gpt2' }],
    ['o/n', { repo: 'o/n' }],
    ['o/n@v1.0', { repo: 'o/n', revision: 'v1.0' }],
    ['o/n@refs/pr/3', { repo: 'o/n', revision: 'refs/pr/3' }],
    ['datasets/o/n', { repo: 'o/n', repoType: 'dataset' }],
    ['https://huggingface.co/o/n', { repo: 'o/n' }],
    ['http://www.huggingface.co/o/n/', { repo: 'o/n' }],
    ['https://hf.co/gpt2', { repo: 'gpt2' }],
    ['https://huggingface.co/o/n?library=vllm#card', { repo: 'o/n' }],
    ['https://huggingface.co/o/n/tree/main', { repo: 'o/n', revision: 'main' }],
    ['https://huggingface.co/gpt2/tree/main/', { repo: 'gpt2', revision: 'main' }],
    ['https://huggingface.co/o/n/tree/feature%2Fx', { repo: 'o/n', revision: 'feature/x' }],
    ['https://huggingface.co/o/n/tree/refs%2Fpr%2F1', { repo: 'o/n', revision: 'refs/pr/1' }],
    ['https://huggingface.co/o/n/tree/refs/pr/1', { repo: 'o/n', revision: 'refs/pr/1' }],
    ['https://huggingface.co/o/n/commit/0123abc', { repo: 'o/n', revision: '0123abc' }],
    ['https://huggingface.co/datasets/o/n/tree/main', { repo: 'o/n', repoType: 'dataset', revision: 'main' }],
    ['https://huggingface.co/datasets/squad', { repo: 'squad', repoType: 'dataset' }],
    ['HTTPS://HUGGINGFACE.CO/o/n', { repo: 'o/n' }],
    ['huggingface.co/o/n/tree/v1', { repo: 'o/n', revision: 'v1' }],
    ['https://huggingface.co/o/n.git', { repo: 'o/n' }],
    ['https://huggingface.co/o/tree', { repo: 'o/tree' }],
    ['https://huggingface.co/o/raw/tree/v1', { repo: 'o/raw', revision: 'v1' }],
    ['https://huggingface.co/o/n/tree', { repo: 'o/n' }],
    ['https://huggingface.co/datasets/o/blob', { repo: 'o/blob', repoType: 'dataset' }],
    ['https://huggingface.co/datasets/squad/tree/v1', { repo: 'squad', repoType: 'dataset', revision: 'v1' }],
    ['https://hub.example.com/hf/o/n', { repo: 'o/n' }],
    ['hf://o/n', { repo: 'o/n' }],
    ['hf://o/n@v1', { repo: 'o/n', revision: 'v1' }],
    ['hf://o/n@refs/pr/1', { repo: 'o/n', revision: 'refs/pr/1' }],
    ['hf://o/n@refs%2Fpr%2F1', { repo: 'o/n', revision: 'refs/pr/1' }],
    ['hf://datasets/o/n@main', { repo: 'o/n', repoType: 'dataset', revision: 'main' }],
  ])('reads %s', (argument, expected) => {
    expect(readRepoArgument(argument, mirror)).toEqual(expected);
  });

  it.each([
    ['https://hf-mirror.example.com/o/n', 'https://hf-mirror.example.com is not the Hub in use'],
    ['https://hub.example.com/o/n', 'is not the Hub in use'],
    ['https://huggingface.co/o/n/blob/main/config.json', 'names "config.json" in the repo'],
    ['https://huggingface.co/o/n/tree/main/sub/folder', 'names "sub/folder" in the repo'],
    ['https://huggingface.co/spaces/o/n', 'one of the spaces'],
    ['hf://buckets/o/n', 'one of the buckets'],
    ['hf://o/n/config.json', 'names "config.json" in the repo'],
    ['hf://o/n@main/config.json', 'names "config.json" in the repo'],
    ['https://huggingface.co/o/n/tree/%zz', '"%"'],
    ['https://', 'the address of its page'],
  ])('refuses %s and says why', (argument, text) => {
    const read = () => readRepoArgument(argument, mirror);
    expect(read).toThrow(text);
    expect(read).toThrow('REPO: ');
    try {
      read();
    } catch (error) {
      expect(isPrefetchError(error, 'InvalidInput')).toBe(true);
    }
  });
});
