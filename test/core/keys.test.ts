import { expect, test } from 'vitest';
import { fileSelection, type FileSelection } from '../../src/core/identity.js';
import {
  batchRecordKey,
  dirKey,
  isReservedPath,
  manifestKey,
  planIdOf,
  planKey,
  planPrefix,
} from '../../src/core/keys.js';

const commit = '0123456789abcdef0123456789abcdef01234567';
const all: FileSelection = { kind: 'all', include: [], exclude: [] };

test('a whole repo lies under its artifact and commit', () => {
  expect(dirKey('Llama-3-1-8B', commit, all)).toBe(`Llama-3-1-8B/${commit}/`);
});

// Objects of earlier runs lie under these keys: a change here hides them.
test('a partial selection has a folder of its own, by a suffix that never changes', () => {
  expect(dirKey('m', commit, { ...all, kind: 'vllm' })).toBe(`m/${commit}.files-c97139bf/`);
  expect(dirKey('m', commit, { ...all, include: ['*.json'] })).toBe(`m/${commit}.files-5912e57b/`);
  const asked = { selection: 'vllm' as const, include: [], exclude: [] };
  expect(dirKey('m', commit, fileSelection(asked))).toBe(`m/${commit}.files-c97139bf/`);
  expect(dirKey('m', commit, fileSelection({ ...asked, weights: 'hf' }))).toBe(`m/${commit}.files-a01b4eb0/`);
  expect(dirKey('m', commit, fileSelection({ ...asked, weights: 'mistral' }))).toBe(`m/${commit}.files-e0b13362/`);
});

test('no two selections share a folder', () => {
  const selections: FileSelection[] = [
    all,
    { ...all, kind: 'vllm' },
    { ...all, include: ['a'] },
    { ...all, exclude: ['a'] },
    { ...all, include: ['a', 'b'] },
    { ...all, include: ['a,b'] },
    { kind: 'vllm', include: ['a'], exclude: [] },
  ];
  const keys = selections.map((selection) => dirKey('m', commit, selection));
  expect(new Set(keys).size).toBe(keys.length);
});

const dir = dirKey('m', commit, all);
const planId = '0123456789abcdef';

test('our own objects lie in .prefetch/ inside the Dir, those of a plan in a folder of their own', () => {
  expect(manifestKey(dir)).toBe(`${dir}.prefetch/manifest.json`);
  expect(planPrefix(dir, planId)).toBe(`${dir}.prefetch/${planId}/`);
  expect(planKey(dir, planId)).toBe(`${dir}.prefetch/${planId}/plan.json`);
  expect(batchRecordKey(dir, planId, 12)).toBe(`${dir}.prefetch/${planId}/batch-12.json`);
});

test('a plan is found again by its key, and nothing else passes for one', () => {
  expect(planIdOf(dir, planKey(dir, planId))).toBe(planId);
  for (const key of [
    manifestKey(dir),
    batchRecordKey(dir, planId, 0),
    planKey(dir, 'not-a-plan-id'),
    planKey('other/', planId),
    `${planKey(dir, planId)}.bak`,
    '',
  ]) {
    expect(planIdOf(dir, key), key).toBeUndefined();
  }
});

test('every object of ours is at a path that no repo file may have', () => {
  for (const key of [manifestKey(''), planKey('', planId), batchRecordKey('', planId, 0)]) {
    expect(isReservedPath(key), key).toBe(true);
  }
  expect(isReservedPath('.prefetch')).toBe(true);
  expect(isReservedPath('.Prefetch/manifest.json')).toBe(true);
  expect(isReservedPath('.prefetcher')).toBe(false);
  expect(isReservedPath('a/.prefetch/plan.json')).toBe(false);
});
