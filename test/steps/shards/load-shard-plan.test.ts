import { expect, test } from 'vitest';
import { layoutOf } from '../../../src/steps/shards/load-shard-plan.js';
import { shardPlanKey } from '../../../src/core/keys.js';
import { shardPlanSchema } from '../../../src/core/schemas/shard-plan.js';
import { refusal } from '../../helpers/refusal.js';
import { setUpJob } from './setup.js';

test('a plan that another release made is refused with the way out where this one does not know its layout', async () => {
  const setup = await setUpJob();
  const { step } = await setup.plan();
  const bytes = await setup.store.get(shardPlanKey(step.dirKey, step.planId));
  const plan = shardPlanSchema.parse(JSON.parse(Buffer.from(bytes ?? []).toString()));
  const { request } = plan;
  const later = { ...plan, request: { ...request, args: { ...request.args, vllmVersion: '99.0.0' } } };
  const { reason, message } = refusal(() => layoutOf(later));
  expect(reason).toBe('vllm-version');
  expect(message).toMatch(/vLLM 99\.0\.0 .*engine vllm \(or auto/);
});
