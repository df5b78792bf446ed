import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ownServices, services } from './compose-file.js';
import { copiesOf, environmentOf, last, stageOf, stages, words } from './dockerfile.js';
import { repository } from './manifests.js';
import { workerCommand } from './workloads.js';

const contextSources = [...new Set(stages.flatMap(copiesOf).flatMap((copy) => (copy.from ? [] : copy.sources)))];

describe('the Dockerfile', () => {
  test('names every stage, and makes the worker where no target is asked for', () => {
    expect(stages.map(({ name }) => name)).toEqual(['build', 'gpu', 'worker']);
  });

  test.each(contextSources)('copies %s, which is there', (source) => {
    // python/ comes with the driver of the role "gpu".
    expect(existsSync(join(repository, source))).toBe(true);
  });

  test('is sent just what it copies', () => {
    const lines = readFileSync(join(repository, '.dockerignore'), 'utf8').trim().split('\n');
    expect(lines[0]).toBe('*');
    expect(lines.slice(1).sort()).toEqual(contextSources.map((source) => `!${source}`).sort());
  });

  test('copies from other stages only what they come before', () => {
    for (const [position, stage] of stages.entries()) {
      const before = stages.slice(0, position).map(({ name }) => name);
      for (const { from } of copiesOf(stage)) if (from !== undefined) expect(before).toContain(from);
    }
  });

  test('gives both images the same Node and the same package', () => {
    expect(stageOf('build').base).toBe(stageOf('worker').base);
    const [node, ...ofGpu] = copiesOf(stageOf('gpu'));
    expect(node).toEqual({ from: 'build', sources: ['/usr/local/bin/node'] });
    expect(ofGpu).toEqual(copiesOf(stageOf('worker')));
  });

  test.each(['gpu', 'worker'])('ends the image %s with a user that is a number and not root', (name) => {
    expect(last(stageOf(name), 'USER')).toMatch(/^[1-9]\d*:\d+$/);
  });

  test('starts the GPU role, not the server of the base image', () => {
    expect(words(last(stageOf('gpu'), 'ENTRYPOINT'))).toEqual([]);
    expect(workerCommand(words(last(stageOf('gpu'), 'CMD'))).roles).toEqual(['gpu']);
  });

  test('makes the scratch folder a volume that the user of the image may write to', () => {
    const scratch = environmentOf(stageOf('gpu'))['MODEL_PREFETCH_SCRATCH'];
    expect(last(stageOf('gpu'), 'VOLUME')).toBe(scratch);
    const [user, group] = last(stageOf('gpu'), 'USER')?.split(':') ?? [];
    expect(last(stageOf('gpu'), 'RUN')).toContain(
      `install --directory --owner=${String(user)} --group=${String(group)} --mode=0770 ${String(scratch)}`
    );
  });
});

describe('the compose file', () => {
  test.each(ownServices)('builds $name from a stage of the Dockerfile, and lets it end in peace', (service) => {
    expect(stages.map(({ name }) => name)).toContain(service.target);
    expect(service.stop_grace_period).toBe('60s');
  });

  test('starts no GPU worker unless its profile is asked for', () => {
    const withProfile = Object.entries(services).filter(([, { profiles }]) => profiles.length > 0);
    expect(withProfile.map(([name, { profiles }]) => [name, profiles])).toEqual([['gpu-worker', ['gpu']]]);
  });

  test('gives the GPU worker every GPU, the queue that GPU names, scratch disk and shared memory', () => {
    const service = services['gpu-worker'];
    const command = typeof service?.command === 'object' ? service.command : [];
    expect(command.at(-1)).toBe('${GPU:-A100:1}');
    expect(workerCommand([...command.slice(0, -1), 'A100:1'])).toMatchObject({ roles: ['gpu'], gpu: 'A100:1' });
    expect(service).toMatchObject({
      deploy: { resources: { reservations: { devices: [{ driver: 'nvidia', count: 'all', capabilities: ['gpu'] }] } } },
      shm_size: '16gb',
      volumes: [`scratch:${String(environmentOf(stageOf('gpu'))['MODEL_PREFETCH_SCRATCH'])}`],
    });
  });
});
