import { rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { NEWEST_VERIFIED_VLLM } from '../../../src/core/vllm-releases.js';
import { planShards } from '../../../src/steps/shards/plan-shards.js';
import { shardInProcess } from '../../../src/steps/shards/shard-in-process.js';
import { manifestKey, shardRecordKey } from '../../../src/core/keys.js';
import { contentOf, expectAsListed, expectValid, sha256 } from '../../helpers/dir-content.js';
import { lateRefusal } from '../../helpers/refusal.js';
import { live } from '../../helpers/transfer-setup.js';
import { filesIn, flipBit, publishAsDir, putFile, setUpJob, splitCheckpoint, type JobSetup } from './setup.js';
import { atCall } from './watched-store.js';

const onMoment = () => undefined;
const contentOfShards = ({ target }: JobSetup) => contentOf({ path: pathToFileURL(target).href });

describe('the manifest', () => {
  test('of a plain folder says how its shards were made, of what, and where they fit', async () => {
    const setup = await setUpJob();
    const { summary } = await setup.plan();
    const { dir } = await setup.run();
    const content = await contentOfShards(setup);
    expectAsListed(content);
    await expectValid('manifest.json', JSON.parse(content.text('.prefetch/manifest.json')));
    const weights = sha256((await filesIn(setup.source)).get('model.safetensors') ?? Buffer.alloc(0));
    // A folder that no Hub knows has no commit: its content stands in.
    const commit = sha256(Buffer.from(`${weights}  model.safetensors\n`)).slice(0, 40);
    expect(content.manifest).toMatchObject({
      version: 1,
      repo: 'my.model',
      revision: 'local',
      commit,
      artifactName: 'my-model',
      format: 'vllm-sharded-state',
      selection: { kind: 'all', include: [], exclude: [] },
      tool: { name: 'test', version: '0' },
      fileCount: 4,
      totalBytes: [...(await filesIn(setup.target)).values()].reduce((sum, { length }) => sum + length, 0),
    });
    expect(content.manifest.sharding).toEqual({
      planId: summary.planId,
      engine: 'native',
      reason: 'engine native was asked for',
      profile: 'dense-1',
      vllmVersion: NEWEST_VERIFIED_VLLM,
      vllmVersions: [
        { from: '0.14.0', to: NEWEST_VERIFIED_VLLM },
        { from: 'main-ae25628995', to: 'main-ae25628995' },
      ],
      tensorParallelSize: 2,
      dtype: 'bfloat16',
      maxFileSize: 5 * 2 ** 30,
      filePattern: 'model-rank-{rank}-part-{part}.safetensors',
      request: (await setup.job()).request,
      source: {
        path: pathToFileURL(`${setup.source}/`).href,
        commit,
        files: [expect.objectContaining({ path: 'model.safetensors', sha256: weights })],
        others: [
          expect.objectContaining({ path: 'config.json' }),
          expect.objectContaining({ path: 'tokenizer.json', size: 17 }),
        ],
      },
    });
    expect(dir).toMatchObject({ path: pathToFileURL(`${setup.target}/`).href, commit, fileCount: 4 });
    expect(dir.manifestDigest).toBe(`sha256:${sha256(content.bytes('.prefetch/manifest.json'))}`);
  });

  test('of a Dir names the repo and the commit of that', async () => {
    const setup = await setUpJob();
    await publishAsDir(setup.source);
    await setup.run();
    const { repo, revision, commit, artifactName, sharding } = await setup.manifest();
    expect({ repo, revision, artifactName }).toEqual({ repo: 'org/model', revision: 'main', artifactName: 'model' });
    expect([commit, sharding?.source.commit]).toEqual(['c'.repeat(40), 'c'.repeat(40)]);
  });

  test('of several weights files has the digest of each, and a commit of all', async () => {
    const setup = await setUpJob();
    await splitCheckpoint(setup);
    await setup.run();
    const from = await filesIn(setup.source);
    const { commit, sharding } = await setup.manifest();
    const digests = [1, 2].map((number) => {
      const path = `model-0000${number}-of-00002.safetensors`;
      return { path, sha256: sha256(from.get(path) ?? Buffer.alloc(0)) };
    });
    expect(sharding?.source.files).toEqual(digests.map((each) => expect.objectContaining(each) as object));
    const lines = digests.map(({ path, sha256: hex }) => `${hex}  ${path}\n`).join('');
    expect(commit).toBe(sha256(Buffer.from(lines)).slice(0, 40));
  });

  test('says what auto came to as data type, and what another vLLM release reads', async () => {
    const setup = await setUpJob('llama-fp32');
    await setup.run({ args: { vllmVersion: '0.13.0', tensorParallelSize: 1 } });
    const { sharding } = await setup.manifest();
    expect(sharding).toMatchObject({
      dtype: 'bfloat16',
      tensorParallelSize: 1,
      vllmVersion: '0.13.0',
      vllmVersions: [{ from: '0.13.0', to: '0.13.0' }],
      request: { args: { dtype: 'auto' } },
    });
    // The ranks cannot give back what was cast; they were compared with the source, whose digest that is.
    const weights = (await filesIn(setup.source)).get('model.safetensors') ?? Buffer.alloc(0);
    expect(sharding?.source.files[0]?.sha256).toBe(sha256(weights));
  });

  test('keeps the metadata and the force number of the request', async () => {
    const setup = await setUpJob();
    const job = { ...(await setup.job({ force: 7 })), metadata: { task: 'chat' } };
    await shardInProcess(setup.dependencies, job, { ...live(), onMoment });
    expect(await setup.manifest()).toMatchObject({ force: 7, metadata: { task: 'chat' } });
  });
});

describe('nothing is published', () => {
  test.each(['part-1', 'check-0', 'model-files'])('while the record %s is missing', async (name) => {
    const setup = await setUpJob();
    const change = { args: { maxFileSize: 100_000 } };
    const { step } = await setup.plan(change);
    setup.moments.before = atCall(/^put .*\/manifest\.json$/, () => Promise.reject(new Error('died')));
    await expect(setup.run(change)).rejects.toThrow('died');
    await setup.store.delete(shardRecordKey('shards/', step.planId, name));
    const { code, message } = await lateRefusal(setup.publish(step));
    expect(code).toBe('ObjectChanged');
    expect(message).toContain('written and checked');
    expect(await setup.store.head(manifestKey('shards/'))).toBeUndefined();
  });
});

describe('shards that the plan does not know', () => {
  const STRAY = 'model-rank-2-part-0.safetensors';

  test('go before a run publishes where vLLM would load them, and nothing else does', async () => {
    const setup = await setUpJob();
    for (const path of [STRAY, 'model-rank-0-part-1.safetensors', 'old.safetensors', 'notes.txt']) {
      await putFile(setup.target, path, path);
    }
    const job = await setup.job();
    const ofRun = { ...job, target: { ...job.target, named: false } };
    await shardInProcess(setup.dependencies, ofRun, { ...live(), onMoment });
    expect([...(await filesIn(setup.target)).keys()]).toEqual([
      'config.json',
      'model-rank-0-part-0.safetensors',
      'model-rank-1-part-0.safetensors',
      'notes.txt',
      'old.safetensors',
      'tokenizer.json',
    ]);
    const calls = setup.moments.calls.filter((call) => /^delete .*safetensors|^put .*manifest/.test(call));
    expect(calls.at(-1)).toBe('put shards/.prefetch/manifest.json');
  });

  test('go where they came after the plan', async () => {
    const setup = await setUpJob();
    setup.moments.before = atCall(/^put .*\/check-0\.json$/, () => putFile(setup.target, STRAY, 'stray'));
    await setup.run();
    expectAsListed(await contentOfShards(setup));
  });

  test.each(['lora.safetensors', 'tp8/model-rank-0-part-0.safetensors'])(
    'stay where somebody put them there meanwhile and they have no name of these: %s',
    async (path) => {
      const setup = await setUpJob();
      setup.moments.before = atCall(/^put .*\/check-0\.json$/, () => putFile(setup.target, path, 'mine'));
      await setup.run();
      expect(String((await filesIn(setup.target)).get(path))).toBe('mine');
    }
  );
});

describe('another run of the same plan', () => {
  test('that published meanwhile is not written over by any step', async () => {
    const setup = await setUpJob();
    const { step } = await setup.plan();
    const copied = () => setup.copy(step);
    const before = await copied();
    const { dir } = await setup.run();
    const files = await filesIn(setup.target);
    const manifest = await setup.manifest();
    setup.moments.calls.length = 0;
    expect(await copied()).toEqual(before);
    expect(await setup.write(step)).toMatchObject({ files: 2 });
    expect(await setup.check(step)).toMatchObject({ files: 1 });
    expect(await setup.publish(step)).toEqual(dir);
    expect(setup.moments.calls).toEqual([]);
    expect(await filesIn(setup.target)).toEqual(files);
    expect(await setup.manifest()).toEqual(manifest);
  });

  test('whose Dir is broken by now is not taken for the one that published', async () => {
    const setup = await setUpJob();
    const { step } = await setup.plan();
    await setup.run();
    await rm(join(setup.target, 'tokenizer.json'));
    expect(await lateRefusal(setup.publish(step))).toMatchObject({ code: 'ObjectChanged' });
  });

  test('that died after the manifest is published once, and its plan goes', async () => {
    const setup = await setUpJob();
    const { step } = await setup.plan();
    const death = new AbortController();
    setup.moments.before = atCall(/^delete /, () => {
      death.abort(new Error('died'));
      return Promise.reject(new Error('the connection is gone'));
    });
    await expect(setup.run({ signal: death.signal })).rejects.toThrow('died');
    const manifest = await setup.manifest();
    expect(await setup.publish(step)).toMatchObject({ commit: manifest.commit });
    expect(await setup.manifest()).toEqual(manifest);
    expectAsListed(await contentOfShards(setup));
  });

  test('is published where its plan cannot be removed, and is a hit afterwards', async () => {
    const setup = await setUpJob();
    setup.moments.before = (call) =>
      call.startsWith('delete ') ? Promise.reject(new Error('not allowed')) : Promise.resolve();
    expect(await setup.run()).toMatchObject({ hit: false });
    expect((await planShards(setup.dependencies, await setup.job(), live())).kind).toBe('hit');
  });
});

test('a hit needs the shards as they were published, and bytes decide where an etag alone differs', async () => {
  const setup = await setUpJob();
  await setup.run();
  const shard = join(setup.target, 'model-rank-0-part-0.safetensors');
  const plan = async () => (await planShards(setup.dependencies, await setup.job(), live())).kind;
  expect(await plan()).toBe('hit');
  await utimes(shard, 1, 1);
  expect(await plan()).toBe('hit');
  // The manifest has the new etag: nothing is read again.
  setup.moments.calls.length = 0;
  expect(await plan()).toBe('hit');
  expect(setup.moments.calls).toEqual([]);
  await flipBit(shard, -1);
  await utimes(shard, 2, 2);
  expect((await setup.run()).hit).toBe(false);
  expectAsListed(await contentOfShards(setup));
});
