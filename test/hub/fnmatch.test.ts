import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compileGlobs } from '../../src/hub/fnmatch.js';

/** For each glob, the positions of the paths that it matches. */
interface Table {
  readonly paths: readonly string[];
  readonly matches: Readonly<Record<string, readonly number[]>>;
}

// Written by CPython 3.11: fnmatch.fnmatchcase(path, glob + "*" if glob ends in "/" else glob), as huggingface_hub calls it.
const table = JSON.parse(readFileSync(new URL('fixtures/fnmatch.json', import.meta.url), 'utf8')) as Table;

describe('compileGlobs', () => {
  test('agrees with Python on every glob of the table', () => {
    const found = Object.keys(table.matches).map((glob) => {
      const match = compileGlobs([glob]);
      return [glob, table.paths.flatMap((path, position) => (match(path) ? [position] : []))];
    });
    expect(found.length).toBeGreaterThan(250);
    expect(Object.fromEntries(found)).toEqual(table.matches);
  });

  test.each([
    ['*.json', 'deep/er/config.json', true],
    ['a?b', 'a/b', true],
    ['original/', 'original/deep/x', true],
    ['original/', 'original', false],
    ['[!o]*', 'original/x', false],
    ['{a,b}', 'a', false],
    ['*.JSON', 'config.json', false],
  ])('%s on %s is %s', (glob, path, expected) => {
    expect(compileGlobs([glob])(path)).toBe(expected);
  });

  test('matches a path that one of several globs matches', () => {
    const match = compileGlobs(['*.json', '*.txt']);
    expect(['a.json', 'b.txt', 'c.bin'].filter(match)).toEqual(['a.json', 'b.txt']);
  });

  test('matches nothing without a glob', () => {
    expect(compileGlobs([])('a')).toBe(false);
  });

  test('ends on a glob that would take a backtracking matcher for ever', () => {
    expect(compileGlobs([`${'*a'.repeat(500)}b`])('a'.repeat(900))).toBe(false);
  });
});
