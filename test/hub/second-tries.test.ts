import { expect, test } from 'vitest';
import { PrefetchError, type ErrorCode, type ErrorDetails } from '../../src/core/errors.js';
import type { Hub } from '../../src/hub/hub.js';
import { withSecondTries } from '../../src/hub/second-tries.js';

const COMMIT = 'c'.repeat(40);
const unused = () => Promise.reject(new Error('not used'));

/** A Hub that fails so often and is well then. */
function failing(code: ErrorCode, times: number, details: ErrorDetails = {}) {
  const asked = { count: 0 };
  const answer = <T>(value: T): Promise<T> => {
    asked.count += 1;
    return asked.count <= times
      ? Promise.reject(new PrefetchError(code, 'unwell', { details }))
      : Promise.resolve(value);
  };
  const hub: Hub = {
    endpoint: 'http://hub.example',
    whoAmI: unused,
    checkAccess: unused,
    resolveRevision: () => answer({ commit: COMMIT, private: false, gated: false, tags: [] }),
    async *listFiles() {
      yield { path: 'a' };
      yield await answer({ path: 'b' });
    },
    describe: () => answer({ size: 3 }),
    locate: () => answer({ url: 'http://cdn.example/f', headers: {}, expiresAt: 0 }),
    read: () => answer(Buffer.from('abc')),
  };
  return { asked, hub: withSecondTries(hub, [0, 0]) };
}

async function list(hub: Hub): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path } of hub.listFiles('o/m', COMMIT)) paths.push(path);
  return paths;
}

test('a hiccup is over at the third try, and no file is listed twice', async () => {
  await expect(failing('HubProtocol', 2).hub.resolveRevision('o/m', 'main')).resolves.toMatchObject({ commit: COMMIT });
  await expect(list(failing('HubProtocol', 2).hub)).resolves.toEqual(['a', 'b']);
});

test('what is no Hub at the third try is none', async () => {
  const { hub, asked } = failing('HubProtocol', 9);
  await expect(hub.resolveRevision('o/m', 'main')).rejects.toMatchObject({ code: 'HubProtocol', permanent: true });
  expect(asked.count).toBe(3);
  await expect(list(failing('HubProtocol', 9).hub)).rejects.toMatchObject({ code: 'HubProtocol' });
});

test.each<[string, ErrorCode, string]>([
  ['an outage', 'HubUnavailable', 'main'],
  ['a limit of requests', 'RateLimited', 'main'],
  ['a refusal', 'RepoNotFound', 'main'],
  ['a pinned commit, which may be there already', 'HubProtocol', COMMIT.toUpperCase()],
])('%s is told at once', async (_, code, revision) => {
  const { hub, asked } = failing(code, 1);
  await expect(hub.resolveRevision('o/m', revision)).rejects.toMatchObject({ code });
  expect(asked.count).toBe(1);
});

const file = { repo: 'o/m', commit: COMMIT, path: 'f', size: 3 };
const aboutFiles: [string, (hub: Hub) => Promise<unknown>][] = [
  ['what is said of a file', (hub) => hub.describe(file)],
  ['where a file is', (hub) => hub.locate(file)],
  ['a small file', (hub) => hub.read(file)],
];

test.each(aboutFiles)('%s is asked for again after nonsense, and refused for good after the third', async (_, ask) => {
  const senseless = { senseless: true };
  await expect(ask(failing('SourceUnavailable', 2, senseless).hub)).resolves.toBeDefined();
  const { hub, asked } = failing('TruncatedSource', 9, senseless);
  await expect(ask(hub)).rejects.toMatchObject({ code: 'HubProtocol', permanent: true, text: 'unwell' });
  expect(asked.count).toBe(3);
});

test.each(aboutFiles)('%s is left to others where it may pass', async (_, ask) => {
  const { hub, asked } = failing('SourceUnavailable', 1);
  await expect(ask(hub)).rejects.toMatchObject({ code: 'SourceUnavailable' });
  expect(asked.count).toBe(1);
});
