import { contentOf, contentOfText, flipped, patched } from './content.js';
import type { Bounds, Scenario } from './scenario.js';
import type { Writer } from './steps.js';
import type { StoreKind } from './store-kind.js';
import { stateOf, withObject, type Blob, type HeldUpload, type StoreState } from './store-state.js';
import { ARTIFACT, commitOf, digestOf, dirOfCommit, PART_SIZE, type Repo } from './world.js';

const WEIGHTS = 'weights!';
const SMALL = '{}';

const none: Bounds = { kills: 0, stalls: 0, flips: 0, lostAnswers: 0, staleLists: 0, switches: 2 };

const large: Repo = { a: { model: WEIGHTS } };
const small: Repo = { a: { config: SMALL } };
const shared: Repo = { a: { model: WEIGHTS }, b: { model: WEIGHTS } };

const empty = (): StoreState => stateOf({ objects: new Map(), uploads: [] });

/** What is explored: the smallest inputs in which each promise could fail. */
export const scenarios: readonly Scenario[] = [
  {
    name: 'two runs of one Dir, a kill and a flipped bit',
    repo: large,
    writers: twins('a'),
    before: empty,
    bounds: { ...none, kills: 1, flips: 1, switches: 1 },
  },
  {
    name: 'two runs of one Dir, and an upload that was left with a wrong part',
    repo: large,
    writers: twins('a'),
    before: (kind) => stateOf({ objects: new Map(), uploads: [leftUpload(kind, 'a')] }),
    bounds: none,
  },
  {
    name: 'a forced run that goes on after a wrong part, beside one that copies from another commit',
    repo: shared,
    writers: [
      { name: 'A', commit: 'b', force: 1 },
      { name: 'B', commit: 'b' },
    ],
    before: (kind) => stateOf({ ...published(kind, shared, 'a'), uploads: [leftUpload(kind, 'b')] }),
    bounds: none,
  },
  {
    name: 'two runs of one Dir, a stalled process and a flipped bit',
    repo: large,
    writers: [{ name: 'A', commit: 'a' }],
    before: empty,
    bounds: { ...none, stalls: 1, flips: 1 },
  },
  {
    name: 'two runs of one Dir, a small file and lost answers',
    repo: small,
    writers: twins('a'),
    before: empty,
    bounds: { ...none, kills: 1, lostAnswers: 1, switches: 1 },
  },
  {
    name: 'two commits that share a file',
    repo: shared,
    writers: [
      { name: 'A', commit: 'a' },
      { name: 'B', commit: 'b' },
    ],
    before: empty,
    bounds: { ...none, kills: 1, switches: 1 },
  },
  {
    name: 'two runs of a commit that shares a file with a published one',
    repo: shared,
    writers: twins('b'),
    before: (kind) => published(kind, shared, 'a'),
    bounds: { ...none, kills: 1, flips: 1, switches: 1 },
  },
  {
    name: 'a file which was damaged in the store, to a commit that shares it',
    repo: shared,
    writers: [{ name: 'A', commit: 'b' }],
    before: (kind) => published(kind, shared, 'a', { model: 'WEIGHTS!' }),
    bounds: { ...none, kills: 1 },
  },
  {
    name: 'a file which was damaged in the store, to two runs',
    repo: shared,
    writers: twins('b'),
    before: (kind) => published(kind, shared, 'a', { model: 'WEIGHTS!' }),
    bounds: { ...none, switches: 1 },
  },
  {
    name: 'two runs of one Dir, a large file and lost answers',
    repo: large,
    writers: twins('a'),
    before: empty,
    bounds: { ...none, lostAnswers: 1, switches: 1 },
  },
  {
    name: 'two runs of a published Dir that lost an object',
    repo: large,
    writers: twins('a'),
    before: (kind) => without(published(kind, large, 'a'), 'model'),
    bounds: { ...none, kills: 1, switches: 1 },
  },
  {
    name: 'two runs of a published Dir with an object that was changed',
    repo: small,
    writers: twins('a'),
    before: (kind) => rewritten(published(kind, small, 'a'), 'config', '[]'),
    bounds: { ...none, kills: 1, switches: 1 },
  },
  {
    name: 'two runs of a published Dir with an object that was written again',
    repo: large,
    writers: twins('a'),
    before: (kind) => rewritten(published(kind, large, 'a'), 'model', WEIGHTS),
    bounds: { ...none, kills: 1 },
  },
  {
    name: 'a forced run beside an ordinary one',
    repo: large,
    writers: [
      { name: 'A', commit: 'a', force: 1 },
      { name: 'B', commit: 'a' },
    ],
    before: (kind) => published(kind, large, 'a'),
    bounds: { ...none, kills: 1 },
  },
  {
    name: 'two runs of one Dir, and lists that are late',
    repo: small,
    writers: twins('a'),
    before: empty,
    bounds: { ...none, staleLists: 2, switches: 1 },
  },
  {
    name: 'a manifest that a newer version wrote',
    repo: small,
    writers: [{ name: 'A', commit: 'a' }],
    before: (kind) => {
      const { objects, uploads } = published(kind, small, 'a');
      const key = `${dirOfCommit('a')}.prefetch/manifest.json`;
      const content = contentOfText('{"version":2}');
      return stateOf({ objects: new Map(objects).set(key, blobOf(kind, content, 'newer')), uploads });
    },
    bounds: { ...none, kills: 1 },
    mayEnd: ['ManifestUnreadable'],
    endsPublished: false,
  },
];

/** Two runs that are alike. */
function twins(commit: string): Writer[] {
  return [
    { name: 'A', commit },
    { name: 'B', commit, spared: true },
  ];
}

/** A scenario in the form that is over in a minute, or in the one that takes hours. */
export function inForm(scenario: Scenario, form: 'short' | 'long'): Scenario {
  if (form === 'short') return scenario;
  const bounds = { ...scenario.bounds, switches: undefined, ...scenario.longBounds };
  return { ...scenario, bounds, writers: scenario.writers.map(unspared) };
}

function unspared(writer: Writer): Writer {
  const { name, commit, force } = writer;
  return { name, commit, ...(force === undefined ? {} : { force }) };
}

/** A Dir as an earlier run left it; `damaged` are bytes that something else changed, with the etag as it was. */
function published(
  kind: StoreKind,
  repo: Repo,
  letter: string,
  damaged: Readonly<Record<string, string>> = {}
): StoreState {
  const dir = dirOfCommit(letter);
  const objects = new Map<string, Blob>();
  const files = Object.entries(repo[letter] ?? {}).map(([path, text]) => {
    const blob = blobOf(kind, contentOfText(text), `before-${path}`);
    const content = contentOfText(damaged[path] ?? text);
    objects.set(dir + path, { ...blob, content });
    const { algorithm, hex } = digestOf(text);
    return { path, size: text.length, [algorithm]: hex, etag: blob.etag };
  });
  const manifest = {
    version: 1,
    repo: 'o/m',
    revision: 'main',
    commit: commitOf(letter),
    artifactName: ARTIFACT,
    format: 'huggingface',
    selection: { kind: 'all', include: [], exclude: [] },
    tool: { name: 'exploration', version: '0' },
    createdAt: new Date(0).toISOString(),
    fileCount: files.length,
    totalBytes: files.reduce((sum, { size }) => sum + size, 0),
    files,
  };
  const content = contentOfText(JSON.stringify(manifest));
  objects.set(`${dir}.prefetch/manifest.json`, blobOf(kind, content, 'before-manifest'));
  return stateOf({ objects, uploads: [] });
}

/** What a process left that was killed after it had sent its first part, of which a bit had flipped on the way. */
function leftUpload(kind: StoreKind, commit: string): HeldUpload {
  const sent = contentOf(flipped(Buffer.from(WEIGHTS.slice(0, PART_SIZE))));
  const part = { etag: sent.sha256.slice(0, 8), size: PART_SIZE };
  const upload = { id: 'left', key: `${dirOfCommit(commit)}model`, size: WEIGHTS.length, partSize: PART_SIZE };
  if (!kind.folder) return { ...upload, parts: new Map([[1, { ...part, content: sent }]]) };
  const data = patched(contentOf(new Uint8Array(WEIGHTS.length)), 0, sent.bytes);
  return { ...upload, parts: new Map([[1, part]]), file: { inode: 'left', data, writes: 1 } };
}

/** A user removed an object. */
function without(state: StoreState, path: string): StoreState {
  return withObject(state, dirOfCommit('a') + path, undefined);
}

/** A user put an object in the place of another, so that it has another etag. */
function rewritten(state: StoreState, path: string, text: string): StoreState {
  const blob = { content: contentOfText(text), etag: 'rewritten.0', inode: 'rewritten' };
  return withObject(state, dirOfCommit('a') + path, blob);
}

function blobOf(kind: StoreKind, content: Blob['content'], token: string): Blob {
  return kind.folder ? { content, etag: `${token}.0`, inode: token } : { content, etag: content.sha256.slice(0, 8) };
}
