import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ARCHITECTURES } from '../../../src/shard/layout/architectures.js';
import { findProfile } from '../../../src/shard/layout/profiles.js';
import { describeRange, isInRange, parseVllmVersion } from '../../../src/shard/layout/vllm-version.js';
import { refusal } from '../../helpers/refusal.js';

const { releases: runs } = JSON.parse(readFileSync(new URL('../fixtures/measured.json', import.meta.url), 'utf8')) as {
  readonly releases: readonly (readonly string[])[];
};
const measured = [...new Set(runs.flat())];
const architectures = Object.keys(ARCHITECTURES);

/** Ids by architecture, each with the first and the last measured release that it is for. */
const PINNED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  LlamaForCausalLM: { 'dense-0': '0.13.0', 'dense-1': '0.14.0 to 0.32.0' },
  MistralForCausalLM: { 'dense-0': '0.13.0', 'dense-1': '0.14.0 to 0.32.0' },
  Qwen2ForCausalLM: { 'dense-0': '0.13.0', 'dense-1': '0.14.0 to 0.32.0' },
  Qwen3ForCausalLM: { 'dense-0': '0.13.0', 'dense-1': '0.14.0 to 0.32.0' },
  Phi3ForCausalLM: { 'dense-0': '0.13.0', 'dense-1': '0.14.0 to 0.32.0' },
  GemmaForCausalLM: { 'gemma-0': '0.13.0', 'gemma-1': '0.14.0 to 0.28.0', 'gemma-2': '0.29.0 to 0.32.0' },
  Gemma2ForCausalLM: { 'gemma2-0': '0.13.0', 'gemma2-1': '0.14.0 to 0.32.0' },
  Gemma3ForCausalLM: { 'gemma3-0': '0.13.0', 'gemma3-1': '0.14.0 to 0.32.0' },
  MixtralForCausalLM: { 'mixtral-0': '0.13.0', 'mixtral-1': '0.14.0 to 0.23.0', 'mixtral-2': '0.24.0 to 0.32.0' },
  Qwen2MoeForCausalLM: {
    'qwen2-moe-0': '0.13.0',
    'qwen2-moe-1': '0.14.0 to 0.19.1',
    'qwen2-moe-2': '0.20.0 to 0.23.0',
    'qwen2-moe-3': '0.24.0 to 0.32.0',
  },
  Qwen3MoeForCausalLM: {
    'qwen3-moe-0': '0.13.0',
    'qwen3-moe-1': '0.14.0 to 0.14.1',
    'qwen3-moe-2': '0.15.0 to 0.19.1',
    'qwen3-moe-3': '0.20.0 to 0.20.2',
    'qwen3-moe-4': '0.21.0 to 0.23.0',
    'qwen3-moe-5': '0.24.0 to 0.32.0',
  },
};

describe('profile ids', () => {
  // They are in manifests and in the names of folders: a range may grow, an id never gets another layout.
  test.each(architectures)('of %s are these, each for these releases', (architecture) => {
    const found: Record<string, string> = {};
    for (const release of measured.filter((each) => parseVllmVersion(each) !== undefined)) {
      const { id, versions } = findProfile(architecture, release);
      const range = versions.find((each) => isInRange(release, each));
      found[id] = range === undefined ? '' : describeRange(range);
    }
    expect(found).toEqual(PINNED[architecture]);
  });

  test('stand for one layout each', () => {
    const layouts = new Map<string, Set<unknown>>();
    for (const architecture of architectures) {
      for (const release of measured) {
        const profile = findProfile(architecture, release);
        layouts.set(profile.id, (layouts.get(profile.id) ?? new Set()).add(profile));
      }
    }
    expect([...layouts].filter(([, profiles]) => profiles.size > 1)).toEqual([]);
    expect([...layouts.keys()].sort()).toEqual([...new Set(Object.values(PINNED).flatMap(Object.keys))].sort());
  });
});

describe('a release', () => {
  test.each(architectures)('is in no two profiles of %s', (architecture) => {
    const ids = new Set(measured.map((release) => findProfile(architecture, release)));
    const ranges = [...ids].flatMap(({ id, versions }) => versions.map((range) => ({ id, range })));
    for (const { id, range } of ranges) {
      const others = ranges.filter((other) => other.id !== id || other.range !== range);
      expect(others.filter((other) => isInRange(range.from, other.range) || isInRange(range.to, other.range))).toEqual(
        []
      );
      expect(isInRange(range.from, range) && isInRange(range.to, range)).toBe(true);
    }
  });

  test.each(architectures)('starts and ends every range of %s by having been measured', (architecture) => {
    const ids = new Set(measured.map((release) => findProfile(architecture, release)));
    const ends = [...ids].flatMap(({ versions }) => versions.flatMap(({ from, to }) => [from, to]));
    expect(ends.filter((end) => !measured.includes(end))).toEqual([]);
  });

  test.each(['0.12.9', '0.13.1', '0.32.1', '0.33.0', '1.0.0', 'main-0000000000', '0.14', ''])(
    'that was not measured is refused with those that were: %j',
    (release) => {
      const { code, reason, details, message } = refusal(() => findProfile('LlamaForCausalLM', release));
      expect({ code, reason }).toEqual({ code: 'UnsupportedSharding', reason: 'vllm-version' });
      expect(details).toMatchObject({ vllmVersion: release, architecture: 'LlamaForCausalLM' });
      expect(message).toContain('measured are 0.13.0, 0.14.0 to 0.32.0, main-ae25628995');
    }
  );

  test('is not looked for in the profiles of another architecture', () => {
    expect(refusal(() => findProfile('GPT2LMHeadModel', '0.32.0')).reason).toBe('vllm-version');
  });
});
