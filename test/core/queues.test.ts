import { expect, test } from 'vitest';
import { DEFAULT_TASK_QUEUE, ROLES, taskQueue } from '../../src/core/queues.js';

test.each([
  ['main', undefined, 'model-prefetch'],
  ['transfer', undefined, 'model-prefetch-transfer'],
  ['wait', undefined, 'model-prefetch-wait'],
  ['shard', undefined, 'model-prefetch-shard'],
  ['gpu', undefined, 'model-prefetch-gpu'],
  ['gpu', 'A100:4', 'model-prefetch-gpu-a100-4'],
  ['gpu', 'A100 80GB:8', 'model-prefetch-gpu-a100-80gb-8'],
  ['gpu', '4', 'model-prefetch-gpu-4'],
] as const)('the queue of the role %s with GPU %s is %s', (role, gpu, queue) => {
  expect(taskQueue(DEFAULT_TASK_QUEUE, role, gpu)).toBe(queue);
});

test('only the GPU role is routed by GPU', () => {
  expect(taskQueue('q', 'transfer', 'A100:4')).toBe('q-transfer');
  expect(taskQueue('q', 'main', 'A100:4')).toBe('q');
});

test('roles never share a queue', () => {
  expect(new Set(ROLES.map((role) => taskQueue('q', role))).size).toBe(ROLES.length);
});
