import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { sideFiles, vllmFiles } from '../../src/hub/vllm-files.js';

/** What vLLM and its tokenizers ask for, by the patterns in their sources: `test/vllm/measure_files.py` reads them. */
interface Measured {
  readonly versions: Readonly<Record<string, string>>;
  readonly patterns: readonly {
    readonly kind: 'format' | 'named' | 'read' | 'ignored' | 'training';
    readonly pattern: string;
    readonly source: string;
  }[];
}

const { patterns } = JSON.parse(readFileSync(new URL('fixtures/vllm-files.json', import.meta.url), 'utf8')) as Measured;
const ofKind = (kind: string) => patterns.filter((row) => row.kind === kind);
const formats = ofKind('format').map(({ pattern }) => pattern);

/** A path that the pattern matches. */
const example = (pattern: string) =>
  pattern
    .replace(/^\*_/, '2_')
    .replace('[tv]*er/', 'transformer/')
    .replace(/\.v\*$/, '.v3')
    .replace('.tar*', '.tar.gz')
    .replaceAll('*', 'x');

const keptOf = (paths: readonly string[]) => vllmFiles(paths.map((path) => ({ path }))).map(({ path }) => path);

test('the fixture has patterns of every kind, and of every reader', () => {
  for (const kind of ['format', 'named', 'read', 'ignored', 'training']) expect(ofKind(kind)).not.toHaveLength(0);
  const readers = new Set(patterns.map(({ source }) => source.split('/')[0]));
  expect(readers).toEqual(new Set(['vllm', 'transformers', 'mistral_common']));
});

describe('what vLLM or a tokenizer reads is kept, whatever the format of the weights:', () => {
  test.each(ofKind('read'))('$pattern ($source)', ({ pattern }) => {
    const path = example(pattern);
    for (const weights of ['model.safetensors', 'pytorch_model.bin', 'consolidated.safetensors', 'model.pt']) {
      expect(keptOf([weights, path])).toEqual([weights, path]);
      expect(sideFiles([{ path: weights }, { path }])).toEqual([{ path }]);
    }
  });
});

describe('weights that a class asks for by name are kept beside those of the model:', () => {
  test.each(ofKind('named'))('$pattern ($source)', ({ pattern }) => {
    const path = example(pattern);
    const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    const config = folder === '' ? [] : [`${folder}/config.json`];
    for (const weights of ['model.safetensors', 'pytorch_model.bin']) {
      const files = ['config.json', weights, ...config, path];
      expect(keptOf(files)).toEqual(files);
    }
  });
});

describe('weights are kept in one format', () => {
  const pairs = formats.flatMap((one) => formats.filter((other) => other > one).map((other) => [one, other] as const));
  test.each(pairs)('of %s and %s', (one, other) => {
    const files = [example(one), example(other)];
    expect(keptOf(files)).toHaveLength(1);
    expect(keptOf([...files].reverse())).toEqual(keptOf(files));
  });

  test.each(ofKind('ignored').filter(({ pattern }) => !formats.includes(pattern)))(
    'and nothing is that vLLM itself leaves out where it reads no weights: $pattern',
    ({ pattern }) => {
      expect(keptOf(['model.safetensors', example(pattern), `sub/${example(pattern)}`])).toEqual(['model.safetensors']);
    }
  );

  test.each(ofKind('training'))('and no state of a training: $pattern', ({ pattern }) => {
    expect(keptOf(['pytorch_model.bin', pattern, `sub/${pattern}`, `my_${pattern}`])).toEqual(['pytorch_model.bin']);
    expect(keptOf(['model.pt', pattern])).toEqual(['model.pt']);
  });
});
