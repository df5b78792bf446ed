import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { folderRepos } from '../../src/dev-hub/folder-repos.js';
import { tmpFolder } from '../helpers/tmp.js';

let root: string;

beforeEach(async () => {
  root = join(await tmpFolder(), 'models');
  await mkdir(root);
});

test('folders of two levels are repos, and what follows an @ is a branch', async () => {
  await files('owner/one/config.json', 'owner/one/deep/er/x.bin', 'owner/one@v2/config.json');
  await files('owner/one@refs%2Fpr%2F1/pr.txt', 'other/two/.gitattributes', 'loose.txt', 'owner/loose.txt');
  const repos = await folderRepos(root);
  expect(repos.map(({ id, branches }) => [id, Object.keys(branches ?? {}).sort()])).toEqual([
    ['other/two', ['main']],
    ['owner/one', ['main', 'refs/pr/1', 'v2']],
  ]);
  const [two, one] = repos;
  expect(Object.keys(one?.commits[one.branches?.['main'] ?? -1]?.files ?? {})).toEqual([
    'config.json',
    'deep/er/x.bin',
  ]);
  expect(one?.commits[one.branches?.['refs/pr/1'] ?? -1]?.files).toEqual({
    'pr.txt': { file: join(root, 'owner/one@refs%2Fpr%2F1/pr.txt') },
  });
  expect(Object.keys(two?.commits[0]?.files ?? {})).toEqual(['.gitattributes']);
});

test('the folder datasets holds owners of data sets', async () => {
  await files('owner/one/config.json', 'datasets/owner/one/data.csv', 'datasets/owner/one@v2/data.csv');
  const repos = await folderRepos(root);
  expect(repos.map(({ id, branches }) => [id, Object.keys(branches ?? {}).sort()])).toEqual([
    ['owner/one', ['main']],
    ['datasets/owner/one', ['main', 'v2']],
  ]);
});

test('dot-folders and the settings file are no files of the repo', async () => {
  await files('a/b/.git/HEAD', 'a/b/.cache/x', 'a/b/deep/.cache/y', 'a/b/deep/kept', '.cache/c/d');
  await writeFile(join(root, 'a/b/.dev-hub.json'), '{"gated":true,"private":true}');
  const repos = await folderRepos(root);
  expect(repos).toHaveLength(1);
  expect(repos[0]).toMatchObject({ id: 'a/b', gated: true, private: true });
  expect(Object.keys(repos[0]?.commits[0]?.files ?? {})).toEqual(['deep/kept']);
});

test.each(['{"gatd":true}', '{"gated":"yes"}', '[true]', 'true', '{', 'null'])(
  'the settings %s are refused',
  async (settings) => {
    await files('a/b/x');
    await writeFile(join(root, 'a/b/.dev-hub.json'), settings);
    await expect(folderRepos(root)).rejects.toThrow(/InvalidInput.*\.dev-hub\.json may hold only gated, private/);
  }
);

test('a symlink to another place in the folder is followed', async () => {
  await files('a/b/blobs/x');
  await symlink('blobs/x', join(root, 'a/b/link'));
  await symlink('blobs', join(root, 'a/b/folder'));
  const [repo] = await folderRepos(root);
  expect(Object.keys(repo?.commits[0]?.files ?? {})).toEqual(['blobs/x', 'folder/x', 'link']);
});

test.each([
  ['file', '../../../secret', 'leaves the served folder'],
  ['folder', '../../..', 'leaves the served folder'],
  ['nothing', 'nowhere', 'leads nowhere'],
  ['the folder it is in', '.', 'in a circle'],
])('a symlink to a %s at %s is refused', async (_, target, reason) => {
  await files('a/b/x', '../secret');
  await symlink(target, join(root, 'a/b/link'));
  await expect(folderRepos(root)).rejects.toThrow(new RegExp(`UnsafePath.*a/b/link is a symlink.*${reason}`));
});

test('a repo or an owner that is a symlink out of the folder is refused', async () => {
  await files('../elsewhere/name/x', 'a/b/x');
  await symlink('../elsewhere', join(root, 'owner'));
  await expect(folderRepos(root)).rejects.toThrow('UnsafePath');
});

test('a folder without repos, and none at all, are refused', async () => {
  await expect(folderRepos(root)).rejects.toThrow('InvalidInput: No repo found');
  await expect(folderRepos(join(root, 'missing'))).rejects.toThrow('InvalidInput');
  await files('a/b@%zz/x');
  await expect(folderRepos(root)).rejects.toThrow('percent-encoded revision');
});

async function files(...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), path);
  }
}
