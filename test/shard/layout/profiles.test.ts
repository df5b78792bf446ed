import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { NEWEST_VERIFIED_VLLM } from '../../../src/core/vllm-releases.js';
import { ARCHITECTURES } from '../../../src/shard/layout/architectures.js';
import { findProfile } from '../../../src/shard/layout/profiles.js';
import { describeRange, isInRange, parseVllmVersion } from '../../../src/shard/layout/vllm-version.js';
import { refusal } from '../../helpers/refusal.js';

const { releases: runs } = JSON.parse(readFileSync(new URL('../fixtures/measured.json', import.meta.url), 'utf8')) as {
  readonly releases: readonly (readonly string[])[];
};
const measured = [...new Set(runs.flat())];
const architectures = Object.keys(ARCHITECTURES);

/** Up to the newest release, which is another one each time that one was measured. */
const since = (first: string) => `${first} to ${NEWEST_VERIFIED_VLLM}`;

/** Ids by architecture, each with the first and the last measured release that it is for. */
const PINNED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  LlamaForCausalLM: { 'dense-0': '0.13.0', 'dense-1': since('0.14.0') },
  MistralForCausalLM: { 'dense-0': '0.13.0', 'dense-1': since('0.14.0') },
  Qwen2ForCausalLM: { 'dense-0': '0.13.0', 'dense-1': since('0.14.0') },
  Qwen3ForCausalLM: { 'dense-0': '0.13.0', 'dense-1': since('0.14.0') },
  Phi3ForCausalLM: { 'dense-0': '0.13.0', 'dense-1': since('0.14.0') },
  GemmaForCausalLM: { 'gemma-0': '0.13.0', 'gemma-1': '0.14.0 to 0.28.0', 'gemma-2': since('0.29.0') },
  Gemma2ForCausalLM: { 'gemma2-0': '0.13.0', 'gemma2-1': since('0.14.0') },
  Gemma3ForCausalLM: { 'gemma3-0': '0.13.0', 'gemma3-1': since('0.14.0') },
  MixtralForCausalLM: { 'mixtral-0': '0.13.0', 'mixtral-1': '0.14.0 to 0.23.0', 'mixtral-2': since('0.24.0') },
  Qwen2MoeForCausalLM: {
    'qwen2-moe-0': '0.13.0',
    'qwen2-moe-1': '0.14.0 to 0.19.1',
    'qwen2-moe-2': '0.20.0 to 0.23.0',
    'qwen2-moe-3': since('0.24.0'),
  },
  Qwen3MoeForCausalLM: {
    'qwen3-moe-0': '0.13.0',
    'qwen3-moe-1': '0.14.0 to 0.14.1',
    'qwen3-moe-2': '0.15.0 to 0.19.1',
    'qwen3-moe-3': '0.20.0 to 0.20.2',
    'qwen3-moe-4': '0.21.0 to 0.23.0',
    'qwen3-moe-5': since('0.24.0'),
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

  test.each(architectures)('of %s have their releases in docs/sharding.md', (architecture) => {
    const document = readFileSync(new URL('../../../docs/sharding.md', import.meta.url), 'utf8');
    const row = document.split('\n').find((line) => line.startsWith('|') && line.includes(`\`${architecture}\``));
    expect(row?.split('|').at(2)?.trim()).toBe(Object.values(PINNED[architecture] ?? {}).join(' · '));
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

  test.each(['0.12.9', '0.13.1', `${NEWEST_VERIFIED_VLLM}1`, '1.0.0', 'main-0000000000', '0.14', ''])(
    'that was not measured is refused with those that were: %j',
    (release) => {
      const { code, reason, details, message } = refusal(() => findProfile('LlamaForCausalLM', release));
      expect({ code, reason }).toEqual({ code: 'UnsupportedSharding', reason: 'vllm-version' });
      expect(details).toMatchObject({ vllmVersion: release, architecture: 'LlamaForCausalLM' });
      expect(message).toContain(`measured are 0.13.0, ${since('0.14.0')}, main-ae25628995`);
    }
  );

  test('is not looked for in the profiles of another architecture', () => {
    expect(refusal(() => findProfile('GPT2LMHeadModel', NEWEST_VERIFIED_VLLM)).reason).toBe('vllm-version');
  });
});
