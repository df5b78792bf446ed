import { chmod, chown, mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isPrefetchError } from '../../src/core/errors.js';
import { checkPrivateHome, makePrivateHome } from '../../src/embedded/private-home.js';
import { tmpFolder } from '../helpers/tmp.js';

describe('makePrivateHome', () => {
  it('makes a home that its owner alone can enter, and the folders above it as they usually are', async () => {
    const base = await tmpFolder();
    const home = join(base, 'data', 'home');
    await makePrivateHome(home);
    await mkdir(join(base, 'usual'));
    expect(await modes(base, ['data', 'data/home'])).toEqual([await modeOf(join(base, 'usual')), '700']);
    await makePrivateHome(home);
    expect(await modeOf(home)).toBe('700');
  });

  it('closes a home that 0.1.0 left open, with its database, and leaves the store and what links lead to', async () => {
    const home = await folder(0o755);
    const outside = join(await tmpFolder(), 'outside');
    await writeFile(outside, '', { mode: 0o644 });
    await chmod(outside, 0o644);
    for (const name of ['lock', 'temporal', 'store']) await openFolder(join(home, name));
    for (const name of ['temporal/temporal.db', 'temporal/temporal.db-wal', 'store/config.json']) {
      await openFile(join(home, name));
    }
    await symlink(outside, join(home, 'temporal', 'link'));
    await makePrivateHome(home);
    expect(await modes(home, ['', 'lock', 'temporal', 'temporal/temporal.db', 'temporal/temporal.db-wal'])).toEqual([
      ...['700', '700', '700', '600', '600'],
    ]);
    expect([await modeOf(join(home, 'store/config.json')), await modeOf(outside)]).toEqual(['644', '644']);
  });

  it('takes an empty folder of this user, whatever its mode', async () => {
    const home = await folder(0o777);
    await makePrivateHome(home);
    expect(await modeOf(home)).toBe('700');
  });

  it.each([
    ['a folder for everybody, such as /tmp', 0o1777, /for everybody/],
    ['an open folder with other things in it', 0o755, /other things/],
  ])('refuses %s and leaves its mode alone', async (_case, mode, reason) => {
    const home = await folder(mode);
    await writeFile(join(home, 'notes.txt'), '');
    for (const check of [makePrivateHome, checkPrivateHome]) {
      const error = await check(home).catch((error: unknown) => error);
      expect(isPrefetchError(error, 'InvalidInput')).toBe(true);
      expect(String(error)).toMatch(reason);
      expect(String(error)).toContain('MODEL_PREFETCH_HOME');
    }
    expect(await modeOf(home)).toBe(mode.toString(8));
    expect(await readdir(home)).toEqual(['notes.txt']);
  });

  it.skipIf(process.getuid?.() !== 0)('refuses a folder of another user, though it is empty and closed', async () => {
    const home = await folder(0o700);
    await chown(home, 12_345, 12_345);
    await expect(makePrivateHome(home)).rejects.toThrow(/InvalidInput: .*another user \(uid 12345\)/);
    expect(await readdir(home)).toEqual([]);
  });

  it('refuses what is no folder, and says what stands in the way', async () => {
    const file = join(await tmpFolder(), 'file');
    await writeFile(file, '');
    await expect(makePrivateHome(file)).rejects.toThrow(/InvalidInput: MODEL_PREFETCH_HOME/);
    await expect(makePrivateHome(join(file, 'home'))).rejects.toThrow(/InvalidInput: .*cannot be made/);
  });
});

async function folder(mode: number): Promise<string> {
  const path = await tmpFolder();
  await chmod(path, mode);
  return path;
}

async function openFolder(path: string): Promise<void> {
  await mkdir(path);
  await chmod(path, 0o755);
}

async function openFile(path: string): Promise<void> {
  await writeFile(path, '');
  await chmod(path, 0o644);
}

async function modes(home: string, names: readonly string[]): Promise<string[]> {
  return Promise.all(names.map((name) => modeOf(join(home, name))));
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o7777).toString(8);
}
