import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { sideFiles, sortForVllm } from '../../src/hub/vllm-files.js';

interface Listings {
  readonly withoutSource: readonly string[];
  readonly repos: readonly {
    readonly repo: string;
    readonly source: string;
    readonly weights: string | null;
    readonly kept: readonly string[];
    readonly dropped: readonly string[];
  }[];
}

const { repos } = JSON.parse(readFileSync(new URL('fixtures/repos.json', import.meta.url), 'utf8')) as Listings;

test('the listings are those of at least 25 repos, each with its source', () => {
  expect(new Set(repos.map(({ repo }) => repo)).size).toBeGreaterThanOrEqual(25);
  for (const { source } of repos) expect(source).toMatch(/github\.com\/|public text \d+/);
});

describe('what vLLM loads of', () => {
  test.each(repos)('$repo ($source)', ({ weights, kept, dropped }) => {
    const sorted = sortForVllm([...kept, ...dropped].map((path) => ({ path })));
    expect(sorted.kept.map(({ path }) => path)).toEqual(kept);
    expect(sorted.leftOut.map(({ file }) => file.path)).toEqual(dropped);
    expect(sorted.format ?? null).toBe(weights);
    const side = sideFiles(sorted.kept).map(({ path }) => path);
    // Shards stand for the weights at the top, and for nothing else.
    expect(
      kept
        .filter((path) => !side.includes(path))
        .every((path) => /^[^/]*\.(safetensors|bin|pt|index\.json)$/.test(path))
    ).toBe(true);
  });
});
