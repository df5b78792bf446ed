import { totalmem } from 'node:os';
import { expect, test } from 'vitest';
import { inspectHost, parseCpuMax } from '../../../../src/shard/vllm/host/host.js';
import { tmpFolder } from '../../../helpers/tmp.js';

test.each([
  ['200000 100000\n', 2],
  ['50000 100000', 0.5],
  ['max 100000', Number.POSITIVE_INFINITY],
  ['max', Number.POSITIVE_INFINITY],
  ['', Number.POSITIVE_INFINITY],
])('the CPU quota %j is %d', (text, cpus) => {
  expect(parseCpuMax(text)).toBe(cpus);
});

test('this host has some of everything, and no more memory than the machine', async () => {
  const host = await inspectHost(await tmpFolder());
  expect(host.cpus).toBeGreaterThan(0);
  expect(Number.isFinite(host.cpus)).toBe(true);
  expect(host.memoryBytes).toBeGreaterThan(0);
  expect(host.memoryBytes).toBeLessThanOrEqual(totalmem());
  expect(host.freeDiskBytes).toBeGreaterThan(0);
});
