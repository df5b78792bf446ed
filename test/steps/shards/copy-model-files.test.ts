import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { copyModelFiles, untieCopiedConfig } from '../../../src/steps/shards/copy-model-files.js';
import { planShards } from '../../../src/steps/shards/plan-shards.js';
import { openStep } from '../../../src/steps/shards/step-context.js';
import { readShardRecord, records } from '../../../src/dir/shard-records.js';
import { shardInProcess } from '../../../src/steps/shards/shard-in-process.js';
import type { Digest } from '../../../src/core/digest.js';
import { parseHeader } from '../../../src/safetensors/index.js';
import { sha256 } from '../../helpers/dir-content.js';
import { formulaWeights } from '../../helpers/formula-models.js';
import { startMemoryStore } from '../../helpers/memory-store.js';
import { lateRefusal } from '../../helpers/refusal.js';
import { gitSha1Of, sha256Of } from '../../helpers/test-source.js';
import { live } from '../../helpers/transfer-setup.js';
import { filesIn, putFile, setUpJob, splitCheckpoint, type JobSetup } from './setup.js';

const namesIn = async (folder: string) => [...(await filesIn(folder)).keys()];

const onMoment = () => undefined;

/** Larger than an upload part, so that it is no small object anywhere. */
const TOKENIZER = Buffer.alloc(50_000, '{"version":"1.0"}');

describe('what is copied', () => {
  test('are config, tokenizer, code and texts; no weights, no index of them, nothing of other programs', async () => {
    const setup = await setUpJob();
    await splitCheckpoint(setup);
    expect(await namesIn(setup.source)).toContain('model.safetensors.index.json');
    for (const path of [
      'code/modeling.py',
      'onnx/model.onnx',
      'pytorch_model.bin',
      'picture.png',
      'chat_template.jinja',
    ]) {
      await putFile(setup.source, path, path);
    }
    await setup.run();
    const others = (await namesIn(setup.target)).filter((path) => !path.startsWith('model-rank-'));
    const expected = ['README.md', 'chat_template.jinja', 'code/modeling.py', 'config.json', 'tokenizer.json'];
    expect(others.sort()).toEqual(expected.sort());
    for (const path of expected) {
      expect((await filesIn(setup.target)).get(path)).toEqual((await filesIn(setup.source)).get(path));
    }
  });

  test('is neither an index of any format nor weights that the index leaves out', async () => {
    const setup = await setUpJob();
    const weights = formulaWeights(setup.model);
    const { tensors } = parseHeader(weights, weights.length);
    const weight_map = Object.fromEntries(tensors.map(({ name }) => [name, 'model.safetensors']));
    await putFile(setup.source, 'model.safetensors.index.json', JSON.stringify({ metadata: {}, weight_map }));
    await putFile(setup.source, 'pytorch_model.bin.index.json', '{}');
    await putFile(setup.source, 'stale.safetensors', 'stale');
    await setup.run();
    const others = (await namesIn(setup.target)).filter((path) => !path.startsWith('model-rank-'));
    expect(others).toEqual(['config.json', 'tokenizer.json']);
  });

  test('are no weights for vLLM either, which gets all files of the model', async () => {
    const setup = await setUpJob();
    await putFile(setup.source, 'config.json', JSON.stringify({ architectures: ['GPT2LMHeadModel'] }));
    const { step, summary } = await setup.plan({ engine: 'auto' });
    expect(summary.engine).toBe('vllm');
    await setup.copy(step);
    expect(await namesIn(setup.target)).toEqual(['config.json', 'tokenizer.json']);
  });

  test('says what it comes to, and how far it is', async () => {
    const setup = await setUpJob();
    await putFile(setup.source, 'tokenizer.json', TOKENIZER);
    const { step } = await setup.plan();
    const seen: number[] = [];
    const onProgress = ({ bytesDone }: { bytesDone: number }) => seen.push(bytesDone);
    const { files, bytes } = await copyModelFiles(setup.dependencies, step, { ...live(), onProgress });
    expect([files, seen.length, seen.at(-1)]).toEqual([2, 2, bytes]);
  });
});

describe('config.json', () => {
  test('is the very file where its embeddings are tied or not as it says', async () => {
    for (const name of ['llama-untied', 'llama-tied', 'llama-tied-head-equal']) {
      const setup = await setUpJob(name);
      await setup.run();
      const [from, to] = [await filesIn(setup.source), await filesIn(setup.target)];
      expect(to.get('config.json')).toEqual(from.get('config.json'));
      expect((await setup.manifest()).sharding?.untied).toBeUndefined();
    }
  });

  test('says that they are not tied where the head differs, and the manifest has the digest of just that', async () => {
    const setup = await setUpJob('llama-tied-head-different');
    await setup.run();
    const [from, to] = [await filesIn(setup.source), await filesIn(setup.target)];
    const [before, after] = [from, to].map((files) => String(files.get('config.json')));
    expect(JSON.parse(before ?? '')).toMatchObject({ tie_word_embeddings: true });
    expect(after).toBe(before?.replace(/("tie_word_embeddings": )true/, '$1false'));
    const manifest = await setup.manifest();
    expect(manifest.sharding?.untied).toBe(true);
    expect(manifest.files.find(({ path }) => path === 'config.json')).toMatchObject({
      size: Buffer.byteLength(after ?? ''),
      sha256: sha256(Buffer.from(after ?? '')),
    });
  });
});

describe('a config that was copied', () => {
  test('is untied where vLLM finds out that the head differs, and stays so', async () => {
    const setup = await setUpJob('llama-tied');
    const { step } = await setup.plan({ engine: 'vllm' });
    await setup.copy(step);
    await untieCopiedConfig(await openStep(setup.dependencies, step, live()), live());
    const config = () => filesIn(setup.target).then((files) => JSON.parse(String(files.get('config.json'))) as unknown);
    expect(await config()).toMatchObject({ tie_word_embeddings: false });
    setup.moments.calls.length = 0;
    await setup.copy(step);
    expect(setup.moments.calls).toEqual([]);
    const record = await readShardRecord(setup.store, step, records.modelFiles, live());
    expect(record?.files.map(({ path }) => path).sort()).toEqual(['config.json', 'tokenizer.json']);
  });
});

describe('a file that was copied', () => {
  test('is not copied again', async () => {
    const setup = await setUpJob();
    const { step } = await setup.plan();
    const first = await setup.copy(step);
    setup.moments.calls.length = 0;
    expect(await setup.copy(step)).toEqual(first);
    expect(setup.moments.calls).toEqual([]);
  });

  test.each<[string, (path: string) => Promise<void>]>([
    ['is gone', rm],
    ['was replaced', (path) => writeFile(path, '{"version":"6.6"}')],
  ])('is copied again where it %s', async (_what, harm) => {
    const setup = await setUpJob();
    const { step } = await setup.plan();
    await setup.copy(step);
    await harm(join(setup.target, 'tokenizer.json'));
    await setup.run();
    const [from, to] = [await filesIn(setup.source), await filesIn(setup.target)];
    expect(to.get('tokenizer.json')).toEqual(from.get('tokenizer.json'));
  });
});

describe('a file whose digest is known', () => {
  /** Shards the checkpoint as a Dir in which the tokenizer has this digest. */
  async function runWith(setup: JobSetup, digest: Digest): Promise<void> {
    const { source, ...job } = await setup.job();
    const files = source.files.map((file) => (file.path === 'tokenizer.json' ? { ...file, digest } : file));
    await shardInProcess(setup.dependencies, { ...job, source: { ...source, files } }, { ...live(), onMoment });
  }

  test('keeps the digest of the Dir that it comes from', async () => {
    const setup = await setUpJob();
    const digest = gitSha1Of((await filesIn(setup.source)).get('tokenizer.json') ?? Buffer.alloc(0));
    await runWith(setup, digest);
    const published = (await setup.manifest()).files.find(({ path }) => path === 'tokenizer.json');
    expect(published).toMatchObject({ gitSha1: digest.hex });
    expect(published?.sha256).toBeUndefined();
  });

  test('is not brought where its bytes are others', async () => {
    const setup = await setUpJob();
    const { code } = await lateRefusal(runWith(setup, sha256Of(Buffer.from('others'))));
    expect(code).toBe('DigestMismatch');
    expect(await namesIn(setup.target)).not.toContain('tokenizer.json');
  });
});

describe('the way of a file', () => {
  test('within a store is one read and one write, for its bytes are checked on the way', async () => {
    const setup = await setUpJob();
    const { source, ...job } = await setup.job();
    const within = { ...job, source: { ...source, store: setup.store, dirKey: 'my.model/' } };
    await shardInProcess(setup.dependencies, within, { ...live(), onMoment });
    const copies = setup.moments.calls.filter((call) => /^\w+ shards\/(config|tokenizer)\.json$/.test(call));
    expect(copies.sort()).toEqual(['put shards/config.json', 'put shards/tokenizer.json']);
    const [from, to] = [await filesIn(setup.source), await filesIn(setup.target)];
    expect(to.get('tokenizer.json')).toEqual(from.get('tokenizer.json'));
  });

  test('into a store without upload parts is by the disk where it is big, and leaves nothing there', async () => {
    const memory = await startMemoryStore({ multipart: false });
    onTestFinished(() => memory.close());
    const setup = await setUpJob('llama-untied', { stores: [memory] });
    await putFile(setup.source, 'tokenizer.json', TOKENIZER);
    const outcome = await planShards(setup.dependencies, await setup.job({ store: memory }), live());
    if (outcome.kind === 'hit') throw new Error('A hit.');
    const { dirKey, planId } = outcome.plan;
    await setup.copy({ destination: memory.root, dirKey, planId });
    expect(memory.objects.get('shards/tokenizer.json')?.equals(TOKENIZER)).toBe(true);
    expect(memory.objects.get('shards/config.json')).toEqual((await filesIn(setup.source)).get('config.json'));
    expect(await readdir(setup.dependencies.scratchFolder)).toEqual([]);
  });
});
