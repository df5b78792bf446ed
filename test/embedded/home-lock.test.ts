import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { isPrefetchError } from '../../src/core/errors.js';
import { homeHolder, lockHome } from '../../src/embedded/home-lock.js';
import { tmpFolder } from '../helpers/tmp.js';

const children: ChildProcess[] = [];

afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => kill(child)));
});

describe('lockHome', () => {
  it('gives the home to one process and leaves nothing after release', async () => {
    const home = await tmpFolder();
    const lock = await lockHome(home);
    expect(await homeHolder(home)).toBe(process.pid);
    await lock.release();
    expect(await homeHolder(home)).toBeUndefined();
    expect(await readdir(join(home, 'lock'))).toEqual([]);
    await (await lockHome(home)).release();
  });

  it('fails as HomeBusy naming the process and MODEL_PREFETCH_HOME while another one works there', async () => {
    const home = await tmpFolder();
    const { child, said } = await locker(home);
    expect(said).toBe('locked');
    const error = await lockHome(home).catch((error: unknown) => error);
    expect(isPrefetchError(error, 'HomeBusy')).toBe(true);
    expect(String(error)).toContain(String(child.pid));
    expect(String(error)).toContain('MODEL_PREFETCH_HOME');
    expect(await homeHolder(home)).toBe(child.pid);
  });

  it('takes the home over at once from a process that was killed', async () => {
    const home = await tmpFolder();
    const { child } = await locker(home);
    await kill(child);
    const lock = await lockHome(home);
    expect(await homeHolder(home)).toBe(process.pid);
    await lock.release();
    expect(await readdir(join(home, 'lock'))).toEqual([]);
  });

  it('is not held by a process that only has the PID of the dead holder', async () => {
    const home = await tmpFolder();
    await mkdir(join(home, 'lock'));
    for (const name of [`${String(process.ppid)}-1`, `${String(process.ppid)}-1.held`]) {
      await writeFile(join(home, 'lock', name), '');
    }
    expect(await homeHolder(home)).toBeUndefined();
    await (await lockHome(home)).release();
  });

  it('is not taken twice by one process', async () => {
    const home = await tmpFolder();
    const lock = await lockHome(home);
    await expect(lockHome(home)).rejects.toThrow('HomeBusy');
    await lock.release();
  });

  it('goes to exactly one of many that try at the same moment', async () => {
    const home = await tmpFolder();
    await kill((await locker(home)).child);
    const answers = await Promise.all(Array.from({ length: 6 }, () => locker(home)));
    const said = answers.map((answer) => answer.said.split(':')[0]);
    expect(said.filter((word) => word === 'locked')).toHaveLength(1);
    expect(said.filter((word) => word === 'HomeBusy')).toHaveLength(5);
  });
});

/** A real process that takes the lock and keeps it. It runs the built module, for Node does not run TypeScript. */
async function locker(home: string): Promise<{ child: ChildProcess; said: string }> {
  const built = pathToFileURL(join(import.meta.dirname, '../../dist/embedded/home-lock.js')).href;
  const script = `
    const { lockHome } = await import(${JSON.stringify(built)});
    console.log(await lockHome(${JSON.stringify(home)}).then(() => 'locked', (error) => error.message));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, said: chunk.toString().trim() };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
