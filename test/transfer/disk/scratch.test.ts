import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, renameSync } from 'node:fs';
import { access, mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { holdScratch, sweepScratch } from '../../../src/transfer/disk/scratch.js';
import { failure, live } from '../../helpers/transfer-setup.js';
import { tmpFolder } from '../../helpers/tmp.js';

const there = (path: string) =>
  access(path).then(
    () => true,
    () => false
  );

/** Another process, and the name of the claim that it would have made. */
async function otherProcess(ownClaim: string) {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(child, 'spawn');
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  onTestFinished(end);
  return { claim: ownClaim.replace(/\d+$/, String(child.pid)), end };
}

async function heldFolder(root: string, planId = 'plan') {
  const scratch = await holdScratch(root, planId, live());
  onTestFinished(() => scratch.release());
  const claim = (await readdir(scratch.folder)).find((name) => name.startsWith('claim.')) ?? '';
  return { scratch, claim };
}

/** Looks for a moment without letting anything else of this thread run. */
function appears(path: string): boolean {
  for (const until = Date.now() + 20; Date.now() < until;) if (existsSync(path)) return true;
  return false;
}

/** A folder as a process leaves it that was killed a while ago. */
async function leftBehind(root: string, name: string, agoMs: number) {
  const folder = join(root, name);
  await mkdir(join(folder, 'source'), { recursive: true });
  const time = new Date(Date.now() - agoMs);
  await utimes(folder, time, time);
  return folder;
}

describe('the folder of a plan', () => {
  test('has a place for the source and an empty one for the output, and goes when it is released', async () => {
    const { scratch } = await heldFolder(await tmpFolder());
    expect(await readdir(scratch.source)).toEqual([]);
    expect(await readdir(scratch.output)).toEqual([]);
    await scratch.release();
    expect(await there(scratch.folder)).toBe(false);
  });

  test('comes to the next process with the source that a killed one left, and with another output', async () => {
    const root = await tmpFolder();
    const folder = await leftBehind(root, 'shard-plan', 1000);
    await writeFile(join(folder, 'source', 'a'), 'kept');
    await mkdir(join(folder, 'output-1'));
    await writeFile(join(folder, 'output-1', 'half a file'), '');
    const { scratch } = await heldFolder(root);
    expect(await readdir(scratch.source)).toEqual(['a']);
    expect(await scratch.keptBytes()).toBe(4);
    expect(await there(join(folder, 'output-1'))).toBe(false);
    expect(await readdir(scratch.output)).toEqual([]);
  });

  test('belongs to one process at a time: another one is told whose it is', async () => {
    const root = await tmpFolder();
    const { scratch, claim } = await heldFolder(root);
    const other = await otherProcess(claim);
    await scratch.release();
    await mkdir(scratch.folder, { recursive: true });
    await writeFile(join(scratch.folder, other.claim), '');
    const error = await failure(holdScratch(root, 'plan', live()));
    expect(error).toMatchObject({ code: 'InsufficientResources', permanent: false });
    await other.end();
    await (await holdScratch(root, 'plan', live())).release();
  });

  test('is free again when a process in another container has not renewed its claim', async () => {
    const root = await tmpFolder();
    const folder = join(root, 'shard-plan');
    await mkdir(folder);
    const claim = join(folder, 'claim.other-host-pid_4026531836_.17');
    await writeFile(claim, '');
    expect(await failure(holdScratch(root, 'plan', live()))).toMatchObject({ code: 'InsufficientResources' });
    const longAgo = new Date(Date.now() - 5 * 60_000);
    await utimes(claim, longAgo, longAgo);
    const { scratch } = await heldFolder(root);
    expect(await there(claim)).toBe(false);
    await scratch.release();
  });

  test('goes from one attempt of this process to the next, which waits for it', async () => {
    const root = await tmpFolder();
    const { scratch } = await heldFolder(root);
    const next = holdScratch(root, 'plan', live());
    const first = await Promise.race([next.then(() => 'next'), Promise.resolve('still waiting')]);
    expect(first).toBe('still waiting');
    await scratch.release();
    const second = await next;
    expect(await readdir(second.source)).toEqual([]);
    await second.release();
  });

  test('is given up while waiting when the signal says so', async () => {
    const root = await tmpFolder();
    await heldFolder(root);
    const abort = new AbortController();
    const next = holdScratch(root, 'plan', { signal: abort.signal });
    abort.abort(new Error('given up'));
    await expect(next).rejects.toThrow('given up');
  });

  test('keeps its claim until it is gone: nobody else takes it while its files are being removed', async () => {
    const root = await tmpFolder();
    const { scratch } = await heldFolder(root);
    await Promise.all(Array.from({ length: 2000 }, (_, n) => writeFile(join(scratch.source, String(n)), 'x')));
    const released = new AbortController();
    const releasing = scratch.release().then(() => {
      released.abort();
    });
    const seen = new Set<string>();
    while (!released.signal.aborted) {
      const names = await readdir(scratch.folder).catch(() => undefined);
      if (names !== undefined) seen.add(names.some((name) => name.startsWith('claim.')) ? 'claimed' : 'free to take');
    }
    await releasing;
    expect(seen).not.toContain('free to take');
    expect(await readdir(root)).toEqual([]);
  });

  test('is claimed again when its last user takes it away at that very moment', async () => {
    const root = await tmpFolder();
    const folder = join(root, 'shard-plan');
    const holding = holdScratch(root, 'plan', live());
    // The folder is made by another thread while this one looks, so that its claim cannot be there yet.
    while (!appears(folder)) await setImmediate();
    renameSync(folder, join(root, 'gone'));
    const scratch = await holding;
    expect(await readdir(folder)).toContainEqual(expect.stringMatching(/^claim\./));
    await scratch.release();
  });

  test('is no path that a plan id could choose', async () => {
    await expect(holdScratch(await tmpFolder(), '../elsewhere', live())).rejects.toThrow('Internal');
  });

  test('that cannot be made names the folder and the right that is missing', async () => {
    const root = await tmpFolder();
    await writeFile(join(root, 'file'), '');
    const error = await failure(holdScratch(join(root, 'file'), 'plan', live()));
    expect(error).toMatchObject({ code: 'StoreConflict' });
    expect(String(error)).toContain(join(root, 'file'));
  });
});

describe('sweeping', () => {
  const hour = 60 * 60_000;

  test('removes what killed processes left long ago, and nothing else', async () => {
    const root = await tmpFolder();
    const old = await leftBehind(root, 'shard-old', 2 * hour);
    const young = await leftBehind(root, 'shard-young', 60_000);
    const foreign = await leftBehind(root, 'downloads', 2 * hour);
    await sweepScratch(root, { olderThanMs: hour, ...live() });
    expect(await Promise.all([old, young, foreign].map(there))).toEqual([false, true, true]);
  });

  test('removes what a process that was killed had begun to remove', async () => {
    const root = await tmpFolder();
    const half = await leftBehind(root, 'removed-8c5c0a5e', 0);
    await writeFile(join(half, 'claim.other-host-pid_4026531836_.17'), '');
    await sweepScratch(root, { olderThanMs: hour, ...live() });
    expect(await there(half)).toBe(false);
  });

  test('removes younger ones too when their room is needed', async () => {
    const root = await tmpFolder();
    const young = await leftBehind(root, 'shard-young', 60_000);
    await sweepScratch(root, { olderThanMs: 0, ...live() });
    expect(await there(young)).toBe(false);
  });

  test('leaves what somebody works in: this process, and another one', async () => {
    const root = await tmpFolder();
    const { scratch, claim } = await heldFolder(root, 'mine');
    const theirs = await leftBehind(root, 'shard-theirs', 2 * hour);
    const other = await otherProcess(claim);
    await writeFile(join(theirs, other.claim), '');
    await sweepScratch(root, { olderThanMs: -hour, ...live() });
    expect(await Promise.all([scratch.folder, theirs].map(there))).toEqual([true, true]);
    await other.end();
    await sweepScratch(root, { olderThanMs: -hour, ...live() });
    expect(await Promise.all([scratch.folder, theirs].map(there))).toEqual([true, false]);
  });
});
