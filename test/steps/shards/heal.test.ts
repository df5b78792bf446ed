import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { manifestKey } from '../../../src/core/keys.js';
import { contentOf, expectAsListed, shardsDigest } from '../../helpers/dir-content.js';
import { lateRefusal, type Refusal } from '../../helpers/refusal.js';
import { measuredDigest } from '../../helpers/shard-repos.js';
import { filesIn, flipBit, setUpJob, splitCheckpoint, type JobSetup } from './setup.js';
import { atCall } from './watched-store.js';

const RANK_0 = 'model-rank-0-part-0.safetensors';
const RANK_1 = 'model-rank-1-part-0.safetensors';

type Harm = (path: string) => Promise<void>;

/** A run during which something happens to a file of its target; it fails, and publishes nothing. */
async function harmed(setup: JobSetup, when: RegExp, harm: Harm, number = 1): Promise<Refusal> {
  setup.moments.before = atCall(when, () => harm(join(setup.target, RANK_1)), number);
  const refusal = await lateRefusal(setup.run());
  delete setup.moments.before;
  setup.moments.calls.length = 0;
  expect(await setup.store.head(manifestKey('shards/'))).toBeUndefined();
  return refusal;
}

const completed = ({ moments }: JobSetup) =>
  moments.calls.flatMap((call) => (call.startsWith('complete ') ? [call.replace('complete shards/', '')] : [])).sort();
const notes = ({ moments }: JobSetup) =>
  moments.calls.flatMap((call) => /^put .*\/((?:part|check)-\d+)\.json$/.exec(call)?.[1] ?? []);

async function expectRight({ target }: JobSetup): Promise<void> {
  const content = await contentOf({ path: pathToFileURL(target).href });
  expect(shardsDigest(content)).toBe(measuredDigest('llama-untied', { tp: 2 }));
  expectAsListed(content);
}

const flipLast: Harm = (path) => flipBit(path, -1);
/** Other bytes of the same size, and a new etag. */
const replace: Harm = async (path) => {
  const file = Buffer.from((await filesIn(join(path, '..'))).get(RANK_1) ?? []);
  file.writeUInt8(file.readUInt8(file.length - 1) ^ 1, file.length - 1);
  await rm(path);
  await writeFile(path, file);
};
/** The same bytes under a new etag: nobody can tell that they are. */
const copy: Harm = async (path) => {
  const file = (await filesIn(join(path, '..'))).get(RANK_1) ?? '';
  await rm(path);
  await writeFile(path, file);
};
const cut: Harm = (path) => truncate(path, 100_000);

/** The second record of a part of two ranks is that of the whole part. */
const AFTER_WRITE = /^put .*\/part-0\.json$/;
const BEFORE_CHECK = /^read .*\.safetensors$/;
const AFTER_CHECK = /^put .*\/check-0\.json$/;

describe('bits that flip after a shard was recorded, under the same etag', () => {
  test.each<[string, Harm]>([
    ['in a tensor that every rank has', flipLast],
    ['in the header', (path) => flipBit(path, 20)],
    ['in the length of the header', (path) => flipBit(path, 0)],
    ['in a share of a tensor', (path) => flipBit(path, -150)],
  ])('%s are found by the check, and all is written anew', async (_where, harm) => {
    const setup = await setUpJob();
    const { code, details } = await harmed(setup, BEFORE_CHECK, harm);
    expect(code).toBe('ShardMismatch');
    expect(details['files']).toContain(RANK_1);
    await setup.run();
    expect(completed(setup)).toEqual([RANK_0, RANK_1]);
    await expectRight(setup);
  });

  test('are found in files of every weights file of the checkpoint', async () => {
    const setup = await setUpJob();
    await splitCheckpoint(setup);
    // The last tensor of a shard lies in one of the two only, and there are two checks.
    expect((await setup.plan()).summary.checks).toBe(2);
    // Before either of them begins: a flip changes the time of the file for a moment, which the other one could see.
    expect((await harmed(setup, AFTER_WRITE, flipLast, 2)).code).toBe('ShardMismatch');
    await setup.run();
    expect(notes(setup).filter((note) => note.startsWith('check'))).toHaveLength(2);
    await expectRight(setup);
  });

  test('are found again when they flip again, and nothing wrong is ever published', async () => {
    const setup = await setUpJob();
    for (let attempt = 0; attempt < 2; attempt++) {
      expect((await harmed(setup, BEFORE_CHECK, flipLast)).code).toBe('ShardMismatch');
    }
    await setup.run();
    await expectRight(setup);
  });
});

describe.each<[string, Harm]>([
  ['is gone', rm],
  ['is cut', cut],
  ['was replaced by another one', replace],
  ['was replaced by an equal one', copy],
])('a shard that %s', (_what, harm) => {
  test('after it was recorded is not checked, and written anew by itself', async () => {
    const setup = await setUpJob();
    const { code, message } = await harmed(setup, AFTER_WRITE, harm, 2);
    expect(code).toBe('ObjectChanged');
    expect(message).toContain(RANK_1);
    await setup.run();
    expect(completed(setup)).toEqual([RANK_1]);
    await expectRight(setup);
  });

  test('after it was checked is not published, but written anew and checked again', async () => {
    const setup = await setUpJob();
    const { code, message } = await harmed(setup, AFTER_CHECK, harm);
    expect(code).toBe('ObjectChanged');
    expect(message).toContain(RANK_1);
    await setup.run();
    expect(completed(setup)).toEqual([RANK_1]);
    expect(notes(setup).at(-1)).toBe('check-0');
    await expectRight(setup);
  });
});

describe('a check', () => {
  test('of files that were written anew since does not vouch for those', async () => {
    const setup = await setUpJob();
    expect((await harmed(setup, AFTER_CHECK, replace)).code).toBe('ObjectChanged');
    // Rank 1 is written anew, and its bit flips before the record of it: a new file under its own etag.
    expect((await harmed(setup, BEFORE_CHECK, flipLast)).code).toBe('ShardMismatch');
    await setup.run();
    await expectRight(setup);
  });

  test('that is of other files than a publication finds is none', async () => {
    const setup = await setUpJob();
    expect((await harmed(setup, AFTER_CHECK, copy)).code).toBe('ObjectChanged');
    const { step } = await setup.plan();
    await setup.write(step);
    const { code, message } = await lateRefusal(setup.publish(step));
    expect(code).toBe('ObjectChanged');
    expect(message).toContain('written and checked');
    await setup.check(step);
    await setup.publish(step);
    await expectRight(setup);
  });
});

describe('a checkpoint that changes', () => {
  const rewrite =
    ({ source }: JobSetup, path: string) =>
    async () => {
      const bytes = (await filesIn(source)).get(path) ?? Buffer.alloc(0);
      await rm(join(source, path));
      await writeFile(join(source, path), bytes);
    };

  test.each([
    ['before its weights are read', 'model.safetensors', /^put .*\/model-files\.json$/],
    ['before its weights are checked', 'model.safetensors', /^put .*\/part-0\.json$/],
    ['before its tokenizer is copied', 'tokenizer.json', /^put .*\/shard-plan\.json$/],
  ])('%s is refused, and planned anew', async (_when, path, moment) => {
    const setup = await setUpJob();
    const { code, message } = await harmed(setup, moment, rewrite(setup, path));
    expect(code).toBe('ObjectChanged');
    expect(message).toContain(path);
    await setup.run();
    await expectRight(setup);
  });
});
