import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { throughGate } from '../../src/embedded/gate.js';
import { ownName } from '../../src/embedded/process-names.js';
import { tmpFolder } from '../helpers/tmp.js';

describe('throughGate', () => {
  it('lets one in after the other, of one process and of many, and leaves nothing', async () => {
    const home = await tmpFolder();
    const [log, built] = [join(home, 'log'), join(import.meta.dirname, '../../dist/embedded/gate.js')];
    const script = `
      const { throughGate } = await import(${JSON.stringify(pathToFileURL(built).href)});
      const { appendFileSync } = await import('node:fs');
      await Promise.all([1, 2, 3].map(() => throughGate(${JSON.stringify(home)}, async () => {
        appendFileSync(${JSON.stringify(log)}, 'in ');
        await new Promise((resolve) => setTimeout(resolve, 2));
        appendFileSync(${JSON.stringify(log)}, 'out ');
      })));`;
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
    );
    await Promise.all(children.map((child) => once(child, 'exit')));
    expect(await readFile(log, 'utf8')).toBe('in out '.repeat(12));
    expect(await readdir(join(home, 'gate'))).toEqual([]);
  });

  it('does not wait for a process that was killed inside, or while it drew its number', async () => {
    const home = await tmpFolder();
    await mkdir(join(home, 'gate'));
    for (const name of ['1-1.1', `${String(process.ppid)}-1.1`, `${String(process.ppid)}-1.1.1`]) {
      await writeFile(join(home, 'gate', name), '');
    }
    expect(await throughGate(home, () => Promise.resolve('in'))).toBe('in');
    expect(await readdir(join(home, 'gate'))).toEqual([]);
  });

  it('waits for who is drawing, tells of it, and fails as HomeBusy after too long', async () => {
    const home = await tmpFolder();
    await mkdir(join(home, 'gate'));
    await writeFile(join(home, 'gate', `${await ownName()}.999`), '');
    const entering = throughGate(home, () => Promise.resolve(), { patienceMs: 60 });
    await expect(entering).rejects.toThrow(new RegExp(`^HomeBusy: .*${String(process.pid)}.*MODEL_PREFETCH_STORE`));
    expect(await readdir(join(home, 'gate'))).toHaveLength(1);
  });

  it('is left by who fails inside, and by who does not want to wait any more', async () => {
    const home = await tmpFolder();
    let leave: () => void = () => undefined;
    const inside = new Promise<void>((resolve) => {
      void throughGate(home, () => {
        resolve();
        return new Promise<void>((out) => (leave = out));
      });
    });
    await inside;
    const controller = new AbortController();
    const second = throughGate(home, () => Promise.resolve(), { signal: controller.signal });
    controller.abort(new Error('stopped'));
    await expect(second).rejects.toThrow('stopped');
    leave();
    await expect(throughGate(home, () => Promise.reject(new Error('broke')))).rejects.toThrow('broke');
    expect(await readdir(join(home, 'gate'))).toEqual([]);
  });
});
