import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planShards } from '../../../src/steps/shards/plan-shards.js';
import { lateRefusal } from '../../helpers/refusal.js';
import { live } from '../../helpers/transfer-setup.js';
import { filesIn, publishAsDir, putFile, setUpJob, type JobChange, type JobSetup } from './setup.js';

async function refused(setup: JobSetup, change: JobChange = {}): Promise<string> {
  const before = await filesIn(setup.target);
  const planned = setup.job(change).then((job) => planShards(setup.dependencies, job, live()));
  const { code, message } = await lateRefusal(planned);
  expect(code).toBe('InvalidInput');
  expect(message).toContain('--to');
  expect(await filesIn(setup.target)).toEqual(before);
  return message;
}

describe('a folder that somebody named', () => {
  test.each([
    ['notes.txt'],
    ['model.safetensors'],
    ['model-rank-2-part-0.safetensors'],
    ['model-rank-0-part-1.safetensors'],
    ['sub/config.json'],
    ['.hidden'],
  ])('is refused while %s is in it', async (path) => {
    const setup = await setUpJob();
    await putFile(setup.target, path, 'x');
    expect(await refused(setup)).toContain(path);
  });

  test('names a few of many files', async () => {
    const setup = await setUpJob();
    for (const name of ['a', 'b', 'c', 'd']) await putFile(setup.target, name, 'x');
    expect(await refused(setup)).toContain('(a, b, c, …)');
  });

  test('may hold what an earlier attempt left of these very shards', async () => {
    const setup = await setUpJob();
    for (const path of ['config.json', 'tokenizer.json', 'model-rank-1-part-0.safetensors', '.prefetch/0123/x.json']) {
      await putFile(setup.target, path, 'x');
    }
    expect((await setup.plan()).summary.parts).toBe(1);
  });

  test('is refused where it is that of the checkpoint itself', async () => {
    const setup = await setUpJob();
    const before = await filesIn(setup.source);
    const { code, message } = await lateRefusal(setup.plan({ folder: 'my.model' }));
    expect(code).toBe('InvalidInput');
    expect(message).toContain('model.safetensors');
    expect(await filesIn(setup.source)).toEqual(before);
  });

  test('is refused with what it is where another Dir is in it', async () => {
    const setup = await setUpJob();
    await setup.run();
    const message = await refused(setup, { args: { dtype: 'float16' } });
    expect(message).toMatch(/another Dir already \(my\.model, tensorParallelSize 2, bfloat16, engine native\)/);
  });

  test.each(['tokenizer.json', 'config.json'])('is refused where another %s made the Dir in it', async (path) => {
    const setup = await setUpJob();
    await setup.run();
    await writeFile(join(setup.source, path), `${await readFile(join(setup.source, path), 'utf8')} `);
    expect(await refused(setup)).toContain('write it anew with --force');
    await setup.run({ force: 1 });
    expect((await filesIn(setup.target)).get(path)).toEqual((await filesIn(setup.source)).get(path));
  });

  test('is refused where a Dir as the Hub has it is in it', async () => {
    const setup = await setUpJob();
    await putFile(setup.target, 'config.json', '{}');
    await publishAsDir(setup.target);
    expect(await refused(setup)).toContain('another Dir already (org/model)');
  });

  test('is refused with a force number too where another Dir has other files', async () => {
    const setup = await setUpJob();
    await setup.run({ args: { tensorParallelSize: 4 } });
    expect(await refused(setup, { force: 1 })).toContain('model-rank-2-part-0.safetensors');
  });

  test('may with a force number be made anew from another data type', async () => {
    const setup = await setUpJob();
    await setup.run();
    await setup.run({ args: { dtype: 'float16' }, force: 1 });
    expect((await setup.manifest()).sharding?.dtype).toBe('float16');
  });
});
