import { describe, expect, test } from 'vitest';
import { chooseEngine } from '../../../src/steps/shards/choose-engine.js';
import { PrefetchError } from '../../../src/core/errors.js';
import { unsupported } from '../../../src/shard/layout/unsupported.js';
import { lateRefusal } from '../../helpers/refusal.js';
import { failure } from '../../helpers/transfer-setup.js';
import { requestOf } from './setup.js';

const layOut = () => Promise.resolve('layout');
const refuse = () => Promise.reject(unsupported('architecture', 'The architecture GPT2LMHeadModel is none of those'));

describe('auto', () => {
  test('is native where the layout is verified', async () => {
    expect(await chooseEngine(requestOf({ engine: 'auto' }), layOut)).toEqual({
      engine: 'native',
      reason: 'auto: this layout is verified',
      layout: 'layout',
    });
  });

  test('cuts what a checkpoint made long, for the reason goes into history', async () => {
    const long = () => Promise.reject(unsupported('extra-tensors', 'x'.repeat(10_000)));
    const { reason } = await chooseEngine(requestOf({ engine: 'auto' }), long);
    expect(reason).toBe(`auto: ${'x'.repeat(500)}…`);
  });

  test('is vLLM where it is not, and says why without telling a way out that it takes itself', async () => {
    expect(await chooseEngine(requestOf({ engine: 'auto' }), refuse)).toEqual({
      engine: 'vllm',
      reason: 'auto: The architecture GPT2LMHeadModel is none of those',
      layout: undefined,
    });
  });
});

test('a reason is one line that may be shown, whatever the config calls its architecture', async () => {
  const refuseStrange = () => Promise.reject(unsupported('architecture', 'The architecture X\nok \u001b[2J is none'));
  const { reason } = await chooseEngine(requestOf({ engine: 'auto' }), refuseStrange);
  expect(reason).toBe('auto: The architecture X ok \ufffd[2J is none');
});

describe('native', () => {
  test('is taken where it was asked for', async () => {
    expect(await chooseEngine(requestOf({ engine: 'native' }), layOut)).toEqual({
      engine: 'native',
      reason: 'engine native was asked for',
      layout: 'layout',
    });
  });

  test('fails with its own refusal', async () => {
    const { code, reason, message } = await lateRefusal(chooseEngine(requestOf({ engine: 'native' }), refuse));
    expect({ code, reason }).toEqual({ code: 'UnsupportedSharding', reason: 'architecture' });
    expect(message).toMatch(/engine vllm \(or auto/);
  });
});

describe('vllm', () => {
  test('is taken where it was asked for, and knows the layout where there is one', async () => {
    const asked = { engine: 'vllm', reason: 'engine vllm was asked for' };
    expect(await chooseEngine(requestOf({ engine: 'vllm' }), layOut)).toEqual({ ...asked, layout: 'layout' });
    expect(await chooseEngine(requestOf({ engine: 'vllm' }), refuse)).toEqual({ ...asked, layout: undefined });
  });
});

test.each(['auto', 'native', 'vllm'] as const)('a failure that is no refusal is none of %s either', async (engine) => {
  const error = new PrefetchError('InvalidSafetensors', 'model.safetensors: no JSON');
  expect(await failure(chooseEngine(requestOf({ engine }), () => Promise.reject(error)))).toBe(error);
});

describe('what is broken', () => {
  test.each(['auto', 'native', 'vllm'] as const)('for every engine ends %s too', async (engine) => {
    const error = unsupported('config', 'config.json is no JSON', { broken: true });
    expect(await lateRefusal(chooseEngine(requestOf({ engine }), () => Promise.reject(error)))).toMatchObject({
      code: 'UnsupportedSharding',
      reason: 'config',
    });
  });

  test('as nobody says which of two tensors counts, ends all but vllm, which takes one by itself', async () => {
    const details = { reason: 'duplicate-tensor' };
    const layOutTwo = () => Promise.reject(new PrefetchError('InvalidSafetensors', 'two', { details }));
    for (const engine of ['auto', 'native'] as const) {
      expect(await lateRefusal(chooseEngine(requestOf({ engine }), layOutTwo))).toMatchObject(details);
    }
    expect(await chooseEngine(requestOf({ engine: 'vllm' }), layOutTwo)).toMatchObject({ layout: undefined });
  });
});

describe('a commit of vLLM in the place of a release', () => {
  const args = { vllmVersion: 'main-ae25628995' };

  test('is refused by vllm before anything is read: no installation could be it', async () => {
    const notAsked = () => Promise.reject(new Error('Nothing is to be laid out.'));
    const refusal = await lateRefusal(chooseEngine(requestOf({ engine: 'vllm', args }), notAsked));
    expect(refusal).toMatchObject({ code: 'UnsupportedSharding', reason: 'vllm-version' });
    expect(refusal.message).toMatch(/main-ae25628995.*--vllm-version/);
  });

  test('is refused by auto where vLLM would have to shard, with both reasons', async () => {
    const refusal = await lateRefusal(chooseEngine(requestOf({ engine: 'auto', args }), refuse));
    expect(refusal).toMatchObject({ code: 'UnsupportedSharding', reason: 'vllm-version' });
    expect(refusal.message).toMatch(/GPT2LMHeadModel is none of those, and engine vllm .*--vllm-version/);
  });

  test.each(['auto', 'native'] as const)("is none of vLLM's business where %s knows the layout", async (engine) => {
    expect(await chooseEngine(requestOf({ engine, args }), layOut)).toMatchObject({ engine: 'native' });
  });
});

describe('other ways to split a model', () => {
  test.each(['auto', 'native', 'vllm'] as const)('are refused by %s, before anything is read', async (engine) => {
    for (const [args, what] of [
      [{ pipelineParallelSize: 2 }, 'pipelineParallelSize 2'],
      [{ enableExpertParallel: true }, 'enableExpertParallel'],
    ] as const) {
      const notAsked = () => Promise.reject(new Error('Nothing is to be laid out.'));
      const { code, reason, message } = await lateRefusal(chooseEngine(requestOf({ engine, args }), notAsked));
      expect({ code, reason }).toEqual({ code: 'UnsupportedSharding', reason: 'parallelism' });
      expect(message).toContain(what);
    }
  });

  test('may be named where they are not used', async () => {
    const args = { pipelineParallelSize: 1, enableExpertParallel: false };
    expect(await chooseEngine(requestOf({ args }), layOut)).toMatchObject({ engine: 'native' });
  });
});
