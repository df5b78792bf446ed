import { describe, expect, it } from 'vitest';
import type { LiveProgress } from '../../src/client.js';
import { lineDisplay } from '../../src/cli/progress/displays.js';
import { duration, progressLine } from '../../src/cli/progress/progress-line.js';
import { RateMeter } from '../../src/cli/progress/rate-meter.js';

const MiB = 1024 * 1024;
const transfer: LiveProgress = {
  phase: 'transfer',
  fileCount: 14,
  totalBytes: 4 * MiB,
  filesDone: 3,
  bytesDone: MiB,
  cacheHit: false,
};

describe('RateMeter', () => {
  it('gives bytes per second over the last ten seconds', () => {
    const meter = new RateMeter();
    expect(meter.add(0, 0)).toBeUndefined();
    expect(meter.add(1_000, 100)).toBe(100);
    expect(meter.add(2_000, 300)).toBe(150);
    for (let atMs = 3_000; atMs < 14_000; atMs += 1_000) meter.add(atMs, 300);
    expect(meter.add(14_000, 300)).toBeUndefined();
    expect(meter.add(15_000, 1_300)).toBe(100);
  });

  it('does not go below zero when an attempt starts again with less', () => {
    const meter = new RateMeter();
    meter.add(0, 1_000);
    expect(meter.add(1_000, 400)).toBeUndefined();
    expect(meter.add(2_000, 1_200)).toBe(100);
  });
});

describe('progressLine', () => {
  it('tells bytes, rate, time left and files', () => {
    expect(progressLine({ progress: transfer, bytesPerSecond: MiB })).toBe(
      'Transferring: 1.0 MiB of 4.0 MiB (25 %), 1.0 MiB/s, ETA 0:03, 3 of 14 files'
    );
  });

  it('tells the phase alone before the plan, and a cache hit as such', () => {
    const early: LiveProgress = { ...transfer, phase: 'authenticate', fileCount: 0, totalBytes: 0, bytesDone: 0 };
    expect(progressLine({ progress: early, bytesPerSecond: undefined })).toBe('Checking access');
    expect(progressLine({ progress: { ...early, cacheHit: true }, bytesPerSecond: undefined })).toMatch(
      /nothing to fetch/
    );
  });

  it('is whole for a repo of empty files', () => {
    const empty: LiveProgress = { ...transfer, totalBytes: 0, bytesDone: 0 };
    expect(progressLine({ progress: empty, bytesPerSecond: undefined })).toContain('(100 %)');
  });

  it('says once which engine shards, and why', () => {
    const sharding = { engine: 'vllm', reason: 'auto: so', tensorParallelSize: 2, dtype: 'auto' } as const;
    const written: string[] = [];
    const display = lineDisplay({ write: (text: string) => written.push(text) > 0 });
    for (const [atMs, phase] of (['transfer', 'shard', 'check'] as const).entries()) {
      const told = phase === 'transfer' ? {} : { sharding };
      display.update({ progress: { ...transfer, ...told, phase }, bytesPerSecond: undefined }, atMs);
    }
    expect(written.filter((line) => line.startsWith('Engine'))).toEqual(['Engine vllm (auto: so)\n']);
    expect(written.findIndex((line) => line.startsWith('Engine'))).toBe(1);
  });

  it('tells what is done to shards, which are not counted', () => {
    const progress: LiveProgress = { ...transfer, phase: 'shard', fileCount: 0, current: 'vLLM loads rank 1 of 2' };
    expect(progressLine({ progress, bytesPerSecond: undefined })).toBe(
      'Sharding: 1.0 MiB of 4.0 MiB (25 %), vLLM loads rank 1 of 2'
    );
    expect(progressLine({ progress: { ...progress, phase: 'publish' }, bytesPerSecond: undefined })).toBe('Publishing');
  });

  it('says why it waits', () => {
    const waiting = { activity: 'planPrefetch', attempt: 3, message: 'RateLimited: slow down', reason: 'failed', activityId: '1' } as const;
    expect(progressLine({ progress: { ...transfer, waiting }, bytesPerSecond: undefined })).toContain(
      'RateLimited: slow down'
    );
  });
});

describe('lineDisplay', () => {
  it('writes a line at a change of phase at once, and at most one every five seconds otherwise', () => {
    const lines: string[] = [];
    const display = lineDisplay({ write: (line: string) => lines.push(line) > 0 });
    const show = (progress: LiveProgress, nowMs: number) => {
      display.update({ progress, bytesPerSecond: undefined }, nowMs);
    };
    show({ ...transfer, phase: 'plan', fileCount: 0 }, 0);
    show(transfer, 100);
    show({ ...transfer, bytesDone: 2 * MiB }, 1_000);
    show({ ...transfer, bytesDone: 3 * MiB }, 5_200);
    show({ ...transfer, bytesDone: 3 * MiB }, 20_000);
    show({ ...transfer, phase: 'publish', bytesDone: 4 * MiB }, 20_100);
    expect(lines.map((line) => line.split(':')[0]?.trim())).toEqual([
      'Planning',
      'Transferring',
      'Transferring',
      'Publishing',
    ]);
  });
});

describe('duration', () => {
  it.each([
    [7, '0:07'],
    [750.4, '12:30'],
    [10_800, '3:00:00'],
    [4 * 86_400 - 1, '95:59:59'],
    [19_796_045, '229 days'],
    [-1, '0:00'],
  ])('writes %d seconds as %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });
});
