import { describe, expect, test } from 'vitest';
import { authenticate } from '../../src/steps/authenticate.js';
import { PrefetchError } from '../../src/core/errors.js';
import type { Hub } from '../../src/hub/hub.js';

const commit = 'a'.repeat(40);
const { signal } = new AbortController();
const down = () => Promise.reject(new PrefetchError('HubUnavailable', 'no answer'));
const gated = () => Promise.reject(new PrefetchError('GatedRepo', 'no access'));

describe('a pinned commit', () => {
  test('is taken on trust while the Hub does not answer', async () => {
    const spec = await ask({ whoAmI: down, resolveRevision: down, checkAccess: down });
    expect(spec).toMatchObject({ commit, hubAnswered: false });
  });

  test('is refused by the one answer that is a no, whatever else is missing', async () => {
    await expect(ask({ whoAmI: down, checkAccess: gated })).rejects.toMatchObject({ code: 'GatedRepo' });
  });
});

test('a token in the place of its name has to be revoked, for the history of the run holds it', async () => {
  const input = { repo: 'org/model', hfTokenKey: 'hf_aTokenThatMustNeverBeSeen' };
  const failure = ask({}, input);
  await expect(failure).rejects.toMatchObject({ code: 'InvalidInput' });
  await expect(failure).rejects.toThrow(/hfTokenKey: expected the NAME .*revoke it/);
  await expect(failure).rejects.not.toThrow('NeverBeSeen');
});

function ask(answers: Partial<Hub>, input: unknown = { repo: 'org/model', revision: commit }) {
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
  return authenticate(needs, input, { signal });
}
