import type { PrefetchSpec } from '../../src/core/contract.js';
import type { Digest } from '../../src/core/digest.js';
import { dirKey } from '../../src/core/keys.js';
import type { Hub } from '../../src/hub/hub.js';
import { contentOfText } from './content.js';
import type { ProcessPort } from './process.js';

/** Commits by a letter, each with its files: text by path. */
export type Repo = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Files of more than a part are moved in parts. */
export const PART_SIZE = 4;

const SELECTION = { kind: 'all', include: [], exclude: [] } as const;
export const ARTIFACT = 'm';

/** Forty of the same letter, as a commit is named. */
export function commitOf(letter: string): string {
  return letter.repeat(40);
}

export function dirOfCommit(letter: string): string {
  return dirKey(ARTIFACT, commitOf(letter), SELECTION);
}

/** Files in one request have a Git digest, those in parts a SHA-256, as on the Hub. */
export function digestOf(text: string): Digest {
  const { sha256, gitSha1 } = contentOfText(text);
  return text.length > PART_SIZE ? { algorithm: 'sha256', hex: sha256 } : { algorithm: 'gitSha1', hex: gitSha1 };
}

export function specOf(
  letter: string,
  { root, force }: { readonly root: string; readonly force?: number }
): PrefetchSpec {
  return {
    version: 1,
    repo: 'o/m',
    revision: 'main',
    commit: commitOf(letter),
    artifactName: ARTIFACT,
    selection: { kind: 'all', include: [], exclude: [] },
    destination: root,
    dirKey: dirOfCommit(letter),
    hubAnswered: true,
    ...(force === undefined ? {} : { force }),
  };
}

/** A Hub whose bytes come when the exploration says so, right or with a flipped bit. */
export function hubOf(repo: Repo, port: ProcessPort): Hub {
  const notAsked = () => Promise.reject(new Error('not asked'));
  const url = ({ commit, path }: { readonly commit: string; readonly path: string }) => `${commit[0] ?? ''}/${path}`;
  return {
    endpoint: 'mem://hub',
    whoAmI: notAsked,
    resolveRevision: notAsked,
    checkAccess: notAsked,
    async *listFiles(_repo, commit) {
      await Promise.resolve();
      for (const [path, text] of Object.entries(repo[commit[0] ?? ''] ?? {})) {
        yield { path, size: text.length, digest: digestOf(text) };
      }
    },
    describe: notAsked,
    locate: (file) =>
      Promise.resolve({ url: `mem://${port.serial}/fetch/${url(file)}`, headers: {}, expiresAt: Infinity }),
    read: async (file) => (await port.ask({ op: 'fetch', url: url(file), start: 0, end: file.size })) as Uint8Array,
  };
}

/** What a source answers to a `fetch`. */
export function bytesOf(
  repo: Repo,
  { url, start, end }: { readonly url: string; readonly start: number; readonly end: number }
) {
  const [letter = '', ...path] = url.split('/');
  const text = repo[letter]?.[path.join('/')];
  if (text === undefined) throw new Error(`The Hub has no ${url}`);
  return Buffer.from(text).subarray(start, end);
}
