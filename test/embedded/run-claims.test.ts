import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { claimRun, differences, digestSettings, findClaim } from '../../src/embedded/run-claims.js';
import { tmpFolder } from '../helpers/tmp.js';

const RUN = { workflowId: 'prefetch/org/model@main/1', taskQueue: 'model-prefetch' };

describe('a claim on a run', () => {
  it('tells who works on it, on which queue, until it is taken back', async () => {
    const home = await tmpFolder();
    expect(await findClaim(home, RUN)).toBeUndefined();
    const release = await claimRun(home, { ...RUN, settings: { HF_TOKEN: 'abc' } });
    expect(await findClaim(home, RUN)).toMatchObject({ ...RUN, pid: process.pid, settings: { HF_TOKEN: 'abc' } });
    expect(await findClaim(home, { ...RUN, taskQueue: 'model-prefetch-1' })).toBeUndefined();
    expect(await findClaim(home, { ...RUN, workflowId: 'prefetch/org/model@main/2' })).toBeUndefined();
    await release();
    expect(await findClaim(home, RUN)).toBeUndefined();
  });

  it('is none when its process has ended, or when it is not readable', async () => {
    const home = await tmpFolder();
    const release = await claimRun(home, { ...RUN, settings: {} });
    const [name = ''] = await readdir(join(home, 'runs'));
    const dead = name.replace(/^[^.]+/, `${String(process.ppid)}-1`);
    await writeFile(join(home, 'runs', dead), await readFile(join(home, 'runs', name)));
    await release();
    expect(await findClaim(home, RUN)).toBeUndefined();
    expect(await readdir(join(home, 'runs'))).toEqual([]);
    await writeFile(join(home, 'runs', name), '{"workflowId": 1');
    expect(await findClaim(home, RUN)).toBeUndefined();
  });

  it('is private to its owner, and holds no setting, only a digest that another home would not make', async () => {
    const home = await tmpFolder();
    const values = { HF_TOKEN: 'hf_secret', HF_ENDPOINT: 'https://huggingface.co' };
    const settings = digestSettings(Buffer.alloc(32, 1), values);
    await claimRun(home, { ...RUN, settings });
    const [name = ''] = await readdir(join(home, 'runs'));
    expect((await stat(join(home, 'runs', name))).mode & 0o777).toBe(0o600);
    expect((await stat(join(home, 'runs'))).mode & 0o777).toBe(0o700);
    expect(await readFile(join(home, 'runs', name), 'utf8')).not.toMatch(/secret|huggingface/);
    expect(digestSettings(Buffer.alloc(32, 2), values)).not.toEqual(settings);
  });
});

describe('differences', () => {
  it('names what is unlike, and what only one of them has', () => {
    expect(differences({ a: '1', b: '2', c: '3' }, { a: '1', b: '3', d: '4' })).toEqual(['b', 'c', 'd']);
    expect(differences({ a: '1' }, { a: '1' })).toEqual([]);
  });
});
