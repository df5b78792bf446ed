import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NEWEST_VERIFIED_VLLM } from '../../src/core/vllm-releases.js';
import { findProfile } from '../../src/shard/layout/profiles.js';
import { parseVllmVersion } from '../../src/shard/layout/vllm-version.js';
import { formulaWeights, readFormulaModels } from '../helpers/formula-models.js';
import { runDigest, setUpShards, type ShardSetup } from '../helpers/shard-setup.js';

/** What real vLLM releases wrote: one digest for all files of a run, and the releases that gave it. */
interface Measured {
  readonly releases: readonly (readonly string[])[];
  readonly runs: readonly Run[];
}

interface Run {
  readonly model: string;
  readonly dtype: string;
  readonly tp: number;
  readonly maxSize: number | null;
  readonly digest: string;
  readonly releases: number;
}

const measured = JSON.parse(readFileSync(new URL('fixtures/measured.json', import.meta.url), 'utf8')) as Measured;
const models = await readFormulaModels();

// vLLM leaves the biases of these models out without a word; the native engine refuses them by name.
const dropsBiases = ['gemma-bias', 'qwen3-bias', 'qwen3moe-bias'];
// Until 0.28 vLLM dropped a head that differs from the embedding; here it is always kept.
const keepsHead = (run: Run) =>
  run.model !== 'llama-tied-head-different' || releasesOf(run).includes(NEWEST_VERIFIED_VLLM);
const names = [...models.keys()].filter((name) => !dropsBiases.includes(name));

test('the models are those that were measured, byte for byte', () => {
  for (const [name, model] of models) {
    expect([name, createHash('sha256').update(formulaWeights(model)).digest('hex')]).toEqual([name, model.file_sha256]);
  }
});

test('every minor release since 0.13 was measured, and main of a day', () => {
  const [, newest = 0] = parseVllmVersion(NEWEST_VERIFIED_VLLM) ?? [];
  const releases = new Set(measured.releases.flat());
  for (let minor = 13; minor <= newest; minor++) expect(releases).toContain(`0.${String(minor)}.0`);
  expect(releases).toContain('main-ae25628995');
});

describe.each(names)('%s', (name) => {
  let setup: ShardSetup;
  beforeAll(async () => {
    setup = await setUpShards(name);
  });
  afterAll(() => setup.close());

  const runs = measured.runs.filter((run) => run.model === name && keepsHead(run));
  test.each(runs)('tp $tp, dtype $dtype, parts of $maxSize: the files are those of vLLM', async (run) => {
    for (const vllmVersion of onePerProfile(setup, run)) {
      const layout = setup.layout({
        ranks: run.tp,
        dtype: run.dtype,
        maxFileSize: run.maxSize ?? Number.MAX_SAFE_INTEGER,
        vllmVersion,
        headDiffers: name === 'llama-tied-head-different',
      });
      const written = await setup.write(layout);
      expect(runDigest(written)).toBe(run.digest);
      for (const { path, sha256 } of written) {
        expect(createHash('sha256').update(setup.shard(path)).digest('hex')).toBe(sha256);
      }
      // By the digest of the source where nothing was cast, else by the source itself.
      expect(await setup.check(layout, setup.model.file_sha256)).toEqual([setup.model.file_sha256]);
    }
  });
});

test.each(dropsBiases)('%s is refused, for vLLM would drop its biases', async (name) => {
  const setup = await setUpShards(name);
  try {
    expect(() => setup.layout({ ranks: 1 })).toThrow(/^UnsupportedSharding: .*bias/);
  } finally {
    await setup.close();
  }
});

/** Releases of several layouts may have written the same files, as where only the order of the parts differs. */
function onePerProfile({ model }: ShardSetup, run: Run): string[] {
  const [architecture = ''] = model.config['architectures'] as string[];
  const byProfile = new Map(releasesOf(run).map((release) => [findProfile(architecture, release).id, release]));
  return [...byProfile.values()];
}

function releasesOf({ releases }: Run): readonly string[] {
  return measured.releases[releases] ?? [];
}
