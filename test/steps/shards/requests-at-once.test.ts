import { expect, test } from 'vitest';
import { publishShards } from '../../../src/steps/shards/publish-shards.js';
import { layoutOf } from '../../../src/steps/shards/load-shard-plan.js';
import { openWeights, requireLayout, type StepContext } from '../../../src/steps/shards/step-context.js';
import { areThere } from '../../../src/steps/shards/shard-natively.js';
import { readWritten } from '../../../src/steps/shards/written-shards.js';
import { shardPlanKey } from '../../../src/core/keys.js';
import { shardPlanSchema } from '../../../src/core/schemas/shard-plan.js';
import type { ObjectStore } from '../../../src/storage/object-store.js';
import { failure, live } from '../../helpers/transfer-setup.js';
import { setUpJob } from './setup.js';

/** More than are asked for at once. */
const MANY = 40;
const etag = 'etag';
const manyFiles = Array.from({ length: MANY }, (_, index) => ({ path: `file-${String(index)}`, size: 1, etag }));

/** A store that holds any file, and knows how many requests it had at once. */
function busyStore(store: ObjectStore) {
  let running = 0;
  const seen = { requests: 0, most: 0 };
  const answer = async <T>(ask: () => Promise<T>): Promise<T> => {
    seen.requests++;
    seen.most = Math.max(seen.most, ++running);
    await new Promise(setImmediate);
    return ask().finally(() => running--);
  };
  const busy: ObjectStore = {
    ...store,
    head: (key) => answer(() => Promise.resolve({ key, size: 1, etag })),
    get: (key) => answer(() => store.get(key)),
  };
  return { store: busy, seen };
}

/** A plan in a store, as its steps see it. */
async function planned() {
  const setup = await setUpJob();
  const { step } = await setup.plan();
  const bytes = await setup.store.get(shardPlanKey(step.dirKey, step.planId));
  const plan = shardPlanSchema.parse(JSON.parse(Buffer.from(bytes ?? []).toString()));
  const { store, seen } = busyStore(setup.store);
  const context: StepContext = { step, plan, layout: layoutOf(plan), store, source: store };
  return { setup, context, seen };
}

test('files that a record names are looked at some at a time', async () => {
  const { context, seen } = await planned();
  expect(await areThere(context.store, context.step, { files: manyFiles }, live())).toBe(true);
  expect(seen).toEqual({ requests: MANY, most: 16 });
});

test('weights files are looked at some at a time', async () => {
  const { setup, context, seen } = await planned();
  const { plan } = context;
  const weights = manyFiles.map((file) => ({ ...file, headerByteLength: 0, tensors: [] }));
  const many = { ...context, plan: { ...plan, source: { ...plan.source, weights } } };
  await (await openWeights(setup.dependencies, many, live())).close();
  expect(seen).toEqual({ requests: MANY, most: 16 });
});

test('records of parts are read some at a time', async () => {
  const { context, seen } = await planned();
  const layout = requireLayout(context);
  const many = { ...context, layout: { ...layout, parts: manyFiles.flatMap(() => layout.parts.slice(0, 1)) } };
  expect(await readWritten(many, live())).toHaveLength(MANY);
  expect(seen).toEqual({ requests: MANY, most: 16 });
});

test('records of checks are read some at a time', async () => {
  const { setup, context, seen } = await planned();
  const { step, plan, store } = context;
  const weights = manyFiles.map((file) => ({ ...file, headerByteLength: 0, tensors: [] }));
  const many = { ...plan, engine: 'vllm', profile: undefined, source: { ...plan.source, weights } };
  await setup.store.put(shardPlanKey(step.dirKey, step.planId), Buffer.from(JSON.stringify(many)));
  const needs = { ...setup.dependencies, openStore: () => Promise.resolve(store) };
  const publishing = publishShards(needs, step, { revision: 'main', now: new Date(), ...live() });
  expect(await failure(publishing)).toMatchObject({ code: 'ObjectChanged' });
  expect(seen.most).toBe(16);
});
