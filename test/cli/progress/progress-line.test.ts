import { describe, expect, it } from 'vitest';
import type { LiveProgress } from '../../../src/client.js';
import { lineDisplay } from '../../../src/cli/progress/displays.js';
import { progressLine } from '../../../src/cli/progress/progress-line.js';

const GiB = 1024 ** 3;
const transfer: LiveProgress = {
  phase: 'transfer',
  fileCount: 14,
  totalBytes: 4 * GiB,
  filesDone: 3,
  bytesDone: 1.5 * GiB,
  cacheHit: false,
};

describe('progressLine', () => {
  it('tells bytes, rate, time left and files in figures that can be read', () => {
    expect(progressLine({ progress: transfer, bytesPerSecond: 210.4 * 1024 ** 2, secondsLeft: 12.2 })).toBe(
      'Transferring: 1.5 of 4.0 GiB (37 %), 210 MiB/s, ETA 0:12, 3 of 14 files'
    );
  });

  it('says nothing of files that are done before one is, for big ones end late', () => {
    expect(progressLine({ progress: { ...transfer, filesDone: 0 } })).toBe(
      'Transferring: 1.5 of 4.0 GiB (37 %), 14 files'
    );
  });

  it('tells the phase alone before the plan, and a cache hit as such', () => {
    const early: LiveProgress = { ...transfer, phase: 'authenticate', fileCount: 0, totalBytes: 0, bytesDone: 0 };
    expect(progressLine({ progress: early })).toBe('Checking access');
    expect(progressLine({ progress: { ...early, cacheHit: true } })).toMatch(/nothing to fetch/);
  });

  it('is whole for a repo of empty files', () => {
    expect(progressLine({ progress: { ...transfer, totalBytes: 0, bytesDone: 0 } })).toContain('(100 %)');
  });

  it('tells at the end files, bytes, time and the mean rate of what was fetched', () => {
    const done: LiveProgress = { ...transfer, phase: 'done', filesDone: 14, bytesDone: 4 * GiB };
    const lineOf = (fetchedBytes: number) =>
      progressLine({ progress: done, took: { seconds: 21, transferSeconds: 20, fetchedBytes } });
    expect(lineOf(4 * GiB)).toBe('Done: 14 files, 4.0 GiB in 0:21 (205 MiB/s)');
    expect(lineOf(GiB)).toBe('Done: 14 files, 4.0 GiB in 0:21 (1.0 GiB fetched at 51 MiB/s)');
    expect(lineOf(0)).toBe('Done: 14 files, 4.0 GiB in 0:21');
    expect(progressLine({ progress: done, bytesPerSecond: 1, secondsLeft: 0 })).toBe('Done: 14 files, 4.0 GiB');
  });

  it('tells what is done to shards, which are not counted', () => {
    const progress: LiveProgress = { ...transfer, phase: 'shard', fileCount: 0, current: 'vLLM loads rank 1 of 2' };
    expect(progressLine({ progress })).toBe('Sharding: 1.5 of 4.0 GiB (37 %), vLLM loads rank 1 of 2');
    expect(progressLine({ progress: { ...progress, phase: 'publish' } })).toBe('Publishing');
  });
});

describe('lineDisplay', () => {
  const record = (label?: string) => {
    const lines: string[] = [];
    const display = lineDisplay({ write: (line: string) => lines.push(line.trimEnd()) > 0 }, label);
    const show = (progress: LiveProgress, nowMs: number, alreadyThere?: number) => {
      display.update({ progress, alreadyThere }, nowMs);
    };
    return { lines, show };
  };

  it('writes a line at a change of phase at once, and at most one every five seconds otherwise', () => {
    const { lines, show } = record();
    show({ ...transfer, phase: 'plan', fileCount: 0 }, 0);
    show(transfer, 100);
    show({ ...transfer, bytesDone: 2 * GiB }, 1_000);
    show({ ...transfer, bytesDone: 3 * GiB }, 5_200);
    show({ ...transfer, bytesDone: 3 * GiB }, 20_000);
    show({ ...transfer, phase: 'publish', bytesDone: 4 * GiB }, 20_100);
    const phases = lines.map((line) => line.split(':')[0]?.trim());
    expect(phases).toEqual(['Planning', 'Transferring', 'Transferring', 'Publishing']);
  });

  it('says once which engine shards, and what was there already', () => {
    const { lines, show } = record();
    const sharding = { engine: 'vllm', reason: 'auto: so', tensorParallelSize: 2, dtype: 'auto' } as const;
    show(transfer, 0);
    show(transfer, 10_000, 3.2 * GiB);
    show({ ...transfer, phase: 'shard', sharding }, 20_000, 3.2 * GiB);
    show({ ...transfer, phase: 'check', sharding }, 30_000, 3.2 * GiB);
    expect(lines.filter((line) => line.startsWith('Engine'))).toEqual(['Engine vllm (auto: so)']);
    expect(lines.filter((line) => line.startsWith('Already'))).toEqual(['Already there: 3.2 GiB']);
  });

  it('says why it waits at once, and of the next tries no more often than every five seconds', () => {
    const { lines, show } = record();
    const waiting = {
      activity: 'planPrefetch',
      activityId: '1',
      message: 'RateLimited: slow',
      reason: 'failed',
    } as const;
    for (const [attempt, atMs] of [
      [2, 0],
      [2, 500],
      [3, 1_000],
      [4, 6_000],
    ] as const) {
      show({ ...transfer, waiting: { ...waiting, attempt } }, atMs);
    }
    expect(lines.slice(1)).toEqual([
      'planPrefetch: being tried again now (attempt 2) after RateLimited: slow',
      'planPrefetch: being tried again now (attempt 4) after RateLimited: slow',
    ]);
  });

  it('begins each line with the run that it is about where there are several, and has no control characters', () => {
    const { lines, show } = record('org/m');
    const waiting = { activity: 'a', activityId: '1', attempt: 1, message: 'paused by x', reason: 'paused' } as const;
    show({ ...transfer, waiting: { ...waiting, command: 'temporal activity unpause' } }, 0, GiB);
    expect(lines).toHaveLength(4);
    for (const line of lines) expect(line).toMatch(/^org\/m: [^\p{Cc}]+$/u);
  });
});
