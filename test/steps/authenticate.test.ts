import { describe, expect, test, vi } from 'vitest';
import { authenticate } from '../../src/steps/authenticate.js';
import { PrefetchError, type ErrorCode } from '../../src/core/errors.js';
import type { Hub, HubOptions } from '../../src/hub/hub.js';

const commit = 'a'.repeat(40);
const { signal } = new AbortController();
const fails = (code: ErrorCode) => () => Promise.reject(new PrefetchError(code, 'no answer'));
const down = fails('HubUnavailable');
const unwell: ErrorCode[] = ['HubUnavailable', 'RateLimited', 'HubProtocol', 'TruncatedSource', 'SourceStalled'];
const refusals: ErrorCode[] = ['RepoNotFound', 'GatedRepo', 'RevisionNotFound', 'InvalidToken', 'DisabledRepo'];
/** Until its signal ends it. */
const hangs = (options?: HubOptions) =>
  new Promise<never>((_, reject) => {
    options?.signal?.addEventListener('abort', () => {
      reject(new Error('given up'));
    });
  });

describe('a pinned commit', () => {
  test.each(unwell)('is taken on trust while the Hub answers with %s', async (code) => {
    const spec = await ask({ whoAmI: fails(code), resolveRevision: fails(code), checkAccess: fails(code) });
    expect(spec).toMatchObject({ commit, hubAnswered: false });
  });

  test('is taken on trust in capitals, too, and is written as the Hub writes it', async () => {
    const input = { repo: 'org/model', revision: commit.toUpperCase() };
    await expect(ask({ resolveRevision: down }, input)).resolves.toMatchObject({ commit, hubAnswered: false });
  });

  test.each(refusals)('is refused by %s to any of the questions, whatever else is missing', async (code) => {
    const no = fails(code);
    await expect(ask({ whoAmI: down, checkAccess: no })).rejects.toMatchObject({ code });
    await expect(ask({ resolveRevision: no, checkAccess: down })).rejects.toMatchObject({ code });
    await expect(ask({ whoAmI: no, resolveRevision: down })).rejects.toMatchObject({ code });
  });

  test('is not waited for where the Hub says nothing', async () => {
    vi.useFakeTimers();
    try {
      const spec = ask({
        whoAmI: hangs,
        resolveRevision: (_, __, options) => hangs(options),
        checkAccess: (_, options) => hangs(options),
      });
      await vi.advanceTimersByTimeAsync(12_000);
      await expect(spec).resolves.toMatchObject({ commit, hubAnswered: false });
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('a branch', () => {
  const input = { repo: 'org/model', revision: 'main' };

  test.each(unwell)('is brought though the checks of token and access end with %s', async (code) => {
    const spec = await ask({ whoAmI: fails(code), checkAccess: fails(code) }, input);
    expect(spec).toMatchObject({ commit, hubAnswered: true });
  });

  test('is brought though these checks are never answered', async () => {
    vi.useFakeTimers();
    try {
      const spec = ask({ whoAmI: hangs, checkAccess: (_, options) => hangs(options) }, input);
      await vi.advanceTimersByTimeAsync(5_000);
      await expect(spec).resolves.toMatchObject({ commit, hubAnswered: true });
    } finally {
      vi.useRealTimers();
    }
  });

  test.each([...unwell, ...refusals])('is not resolved where the Hub answers with %s', async (code) => {
    await expect(ask({ resolveRevision: fails(code) }, input)).rejects.toMatchObject({ code });
  });

  test('is refused by a bad token first, whatever else the Hub says about it', async () => {
    const answers = { whoAmI: fails('InvalidToken'), resolveRevision: fails('RepoNotFound') };
    await expect(ask(answers, input)).rejects.toMatchObject({ code: 'InvalidToken' });
  });
});

test('who ends the step ends its questions', async () => {
  const controller = new AbortController();
  const running = ask({ resolveRevision: (_, __, options) => hangs(options) }, undefined, controller.signal);
  await new Promise(setImmediate);
  controller.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
});

test('a token in the place of its name has to be revoked, for the history of the run holds it', async () => {
  const input = { repo: 'org/model', hfTokenKey: 'hf_aTokenThatMustNeverBeSeen' };
  const failure = ask({}, input);
  await expect(failure).rejects.toMatchObject({ code: 'InvalidInput' });
  await expect(failure).rejects.toThrow(/hfTokenKey: expected the NAME .*revoke it/);
  await expect(failure).rejects.not.toThrow('NeverBeSeen');
});

function ask(answers: Partial<Hub>, input: unknown = { repo: 'org/model', revision: commit }, until = signal) {
  const hub: Hub = {
    endpoint: 'http://127.0.0.1',
    whoAmI: () => Promise.resolve({ name: 'someone' }),
    resolveRevision: () => Promise.resolve({ commit, private: false, gated: false, tags: [] }),
    checkAccess: () => Promise.resolve(),
    listFiles: () => {
      throw new Error('not asked');
    },
    describe: () => Promise.reject(new Error('not asked')),
    locate: () => Promise.reject(new Error('not asked')),
    read: () => Promise.reject(new Error('not asked')),
    ...answers,
  };
  const needs = {
    hub,
    readToken: () => Promise.resolve('hf_token'),
    destinations: { store: 's3://bucket/', allowedRoots: [], anywhere: false, files: false },
  };
  return authenticate(needs, input, { signal: until });
}
