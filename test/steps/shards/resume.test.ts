import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { shardNatively } from '../../../src/steps/shards/shard-natively.js';
import { manifestKey } from '../../../src/core/keys.js';
import { contentOf, expectAsListed, shardsDigest } from '../../helpers/dir-content.js';
import { measuredDigest } from '../../helpers/shard-repos.js';
import { failure, live } from '../../helpers/transfer-setup.js';
import { filesIn, setUpJob, type JobChange, type JobSetup } from './setup.js';
import { atCall } from './watched-store.js';

const MAX_SIZE = 100_000;
/** Three parts of two ranks each. */
const change = { args: { maxFileSize: MAX_SIZE } };
const PARTS = 3;

/** Gives a run up just before a call; whoever finishes all the same says so. */
async function giveUpAt(setup: JobSetup, pattern: RegExp, number = 1): Promise<void> {
  const controller = new AbortController();
  setup.moments.before = atCall(
    pattern,
    () => {
      controller.abort();
    },
    number
  );
  expect(await failure(setup.run({ ...change, signal: controller.signal }))).toMatchObject({ name: 'AbortError' });
  delete setup.moments.before;
}

/** Runs it again to its end, and tells what the store was asked for. */
async function goOn(setup: JobSetup): Promise<string[]> {
  setup.moments.calls.length = 0;
  expect((await setup.run(change)).hit).toBe(false);
  return [...setup.moments.calls];
}

async function expectRight({ target }: JobSetup, whole: JobChange = change): Promise<void> {
  const content = await contentOf({ path: pathToFileURL(target).href });
  expectAsListed(content);
  const plain = await setUpJob();
  await plain.run(whole);
  expect(shardsDigest(content)).toBe(shardsDigest(await contentOf({ path: pathToFileURL(plain.target).href })));
}

const isPublished = async ({ store }: JobSetup) => (await store.head(manifestKey('shards/'))) !== undefined;
const count = (calls: readonly string[], pattern: RegExp) => calls.filter((call) => pattern.test(call)).length;
const of = (calls: readonly string[], pattern: RegExp) => calls.filter((call) => pattern.test(call)).sort();

const shardsIn = (files: ReadonlyMap<string, Buffer>) =>
  [...files.keys()].filter((path) => path.endsWith('.safetensors')).sort();

/** What a run asks the store for that nobody disturbs. */
async function undisturbed(): Promise<string[]> {
  const setup = await setUpJob();
  return goOn(setup);
}

test('an undisturbed run writes what vLLM itself writes', async () => {
  const setup = await setUpJob();
  await setup.run();
  const content = await contentOf({ path: pathToFileURL(setup.target).href });
  expect(shardsDigest(content)).toBe(measuredDigest('llama-untied', { tp: 2 }));
});

describe('a run that is given up', () => {
  test('before anything is written leaves nothing but its plan', async () => {
    const setup = await setUpJob();
    await giveUpAt(setup, /^(?:copy|put) shards\/(?!\.prefetch)|^part /);
    expect([...(await filesIn(setup.target)).keys()]).toEqual([]);
    await goOn(setup);
    await expectRight(setup);
  });

  test('while parts are written goes on with the upload parts that are missing', async () => {
    const all = count(await undisturbed(), /^part .*model-rank/);
    const setup = await setUpJob();
    await giveUpAt(setup, /^part .*model-rank-1-part-1/, 3);
    const sent = count(setup.moments.calls, /^part .*model-rank/);
    expect(await isPublished(setup)).toBe(false);
    const again = count(await goOn(setup), /^part .*model-rank/);
    expect(again).toBeLessThan(all);
    // Some may have been on their way.
    expect(sent + again).toBeGreaterThanOrEqual(all);
    expect(again).toBeLessThanOrEqual(all - sent + 4);
    await expectRight(setup);
  });

  test('after some files leaves these as they are', async () => {
    const setup = await setUpJob();
    await giveUpAt(setup, /^put .*\/part-0\.json$/, 2);
    const finished = shardsIn(await filesIn(setup.target));
    expect(finished).toEqual(expect.arrayContaining(['model-rank-0-part-0.safetensors']));
    // What is finished is noted whatever happens to the run.
    const calls = await goOn(setup);
    const completed = of(calls, /^complete /).map((call) => call.replace('complete shards/', ''));
    expect([...finished, ...completed].sort()).toEqual(shardsIn(await filesIn(setup.target)));
    await expectRight(setup);
  });

  test('after the parts and before the check writes nothing again', async () => {
    const setup = await setUpJob();
    await giveUpAt(setup, /^read .*\.safetensors/);
    expect(await isPublished(setup)).toBe(false);
    const calls = await goOn(setup);
    expect(of(calls, /^(?:part|complete|copy) /)).toEqual([]);
    expect(of(calls, /^put .*(?:part-\d|model-files)\.json$/)).toEqual([]);
    await expectRight(setup);
  });

  test('in the check checks again, and writes nothing again', async () => {
    const setup = await setUpJob();
    await giveUpAt(setup, /^read .*\.safetensors/, 4);
    expect(await isPublished(setup)).toBe(false);
    const calls = await goOn(setup);
    expect(of(calls, /^(?:part|complete|copy) /)).toEqual([]);
    expect(of(calls, /^put .*check-0\.json$/)).toHaveLength(1);
    expect(of(calls, /^read .*\.safetensors/).length).toBeGreaterThanOrEqual(2 * PARTS);
    await expectRight(setup);
  });

  test('after the check and before the manifest publishes, and checks nothing again', async () => {
    const setup = await setUpJob();
    await giveUpAt(setup, /^put .*\/check-0\.json$/);
    expect(await isPublished(setup)).toBe(false);
    const calls = await goOn(setup);
    expect(of(calls, /^(?:part|complete|copy|read) /)).toEqual([]);
    expect(of(calls, /^put /)).toEqual(['put shards/.prefetch/manifest.json']);
    await expectRight(setup);
  });

  test('between the manifest and the clean-up is a hit, and cleaned up', async () => {
    const setup = await setUpJob();
    await giveUpAt(setup, /^delete .*\.json$/);
    expect(await isPublished(setup)).toBe(true);
    const before = await setup.manifest();
    expect((await setup.run(change)).hit).toBe(true);
    expect(await setup.manifest()).toEqual(before);
    // Nor does its plan stay.
    await expectRight(setup);
  });
});

describe('a run that ends between the files of two ranks', () => {
  /** Gives up when rank 1 is to be completed, after rank 0 was. */
  async function endedBetween(): Promise<JobSetup> {
    const setup = await setUpJob();
    const first = new Promise<void>((noted) => {
      setup.moments.before = (call) => {
        if (/^put .*\/part-0\.json$/.test(call)) setImmediate(noted);
      };
    });
    const controller = new AbortController();
    const note = setup.moments.before;
    setup.moments.before = async (call) => {
      await note?.(call);
      if (!/^complete .*rank-1-part-0/.test(call)) return;
      await first;
      controller.abort();
    };
    await failure(setup.run({ signal: controller.signal }));
    delete setup.moments.before;
    setup.moments.calls.length = 0;
    expect([...(await filesIn(setup.target)).keys()]).toContain('model-rank-0-part-0.safetensors');
    expect([...(await filesIn(setup.target)).keys()]).not.toContain('model-rank-1-part-0.safetensors');
    return setup;
  }

  test('goes on with the one that is missing, whose upload parts are there', async () => {
    const setup = await endedBetween();
    await setup.run();
    expect(of(setup.moments.calls, /^(?:part|complete) /)).toEqual(['complete shards/model-rank-1-part-0.safetensors']);
    await expectRight(setup, {});
  });

  test('writes just that one where its upload is gone', async () => {
    const setup = await endedBetween();
    for (const upload of await setup.store.findUploads('shards/model-rank-1-part-0.safetensors')) {
      await setup.store.abortUpload(upload);
    }
    await setup.run();
    const { calls } = setup.moments;
    expect(of(calls, /^complete /)).toEqual(['complete shards/model-rank-1-part-0.safetensors']);
    expect(of(calls, /^part .*rank-0/)).toEqual([]);
    expect(of(calls, /^part .*rank-1/).length).toBeGreaterThan(1);
    await expectRight(setup, {});
  });

  test('writes both where the one that was finished is not as it was', async () => {
    const setup = await endedBetween();
    await setup.store.put('shards/model-rank-0-part-0.safetensors', Buffer.from('other'));
    setup.moments.calls.length = 0;
    await setup.run();
    expect(of(setup.moments.calls, /^complete /)).toHaveLength(2);
    await expectRight(setup, {});
  });

  test('takes no part for written of which one rank is missing', async () => {
    const setup = await endedBetween();
    const { step } = await setup.plan();
    expect(await failure(setup.publish(step))).toMatchObject({ code: 'ObjectChanged' });
    expect(await failure(setup.check(step))).toMatchObject({ code: 'ObjectChanged' });
    const progress: number[] = [];
    const onProgress = ({ bytesDone }: { bytesDone: number }) => progress.push(bytesDone);
    const { files, bytes } = await shardNatively(setup.dependencies, { ...step, number: 0 }, { ...live(), onProgress });
    expect([files, progress.at(-1)]).toEqual([2, bytes]);
    await setup.check(step);
    await setup.publish(step);
    await expectRight(setup, {});
  });
});
