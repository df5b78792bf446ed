import { describe, expect, it } from 'vitest';
import type { LiveProgress } from '../../../src/client.js';
import { RunMeter } from '../../../src/cli/progress/moment.js';
import { RateMeter } from '../../../src/cli/progress/rate-meter.js';

const MiB = 1024 ** 2;
const begun: LiveProgress = {
  phase: 'transfer',
  fileCount: 4,
  totalBytes: 100 * MiB,
  filesDone: 0,
  bytesDone: 0,
  foundBytes: 0,
  cacheHit: false,
};

describe('RateMeter', () => {
  const at = (meter: RateMeter, atMs: number, bytesDone: number, foundBytes = 0) =>
    meter.add(atMs, { bytesDone, foundBytes })?.bytesPerSecond;

  it('gives bytes per second over the last ten seconds', () => {
    const meter = new RateMeter();
    expect(at(meter, 0, 0)).toBeUndefined();
    expect(at(meter, 1_000, 100)).toBe(100);
    expect(at(meter, 2_000, 300)).toBe(150);
    for (let atMs = 3_000; atMs < 14_000; atMs += 1_000) at(meter, atMs, 300);
    expect(at(meter, 14_000, 300)).toBeUndefined();
    expect(at(meter, 15_000, 1_300)).toBe(100);
  });

  it('counts what was found in the store as no speed', () => {
    const meter = new RateMeter();
    at(meter, 0, 0);
    expect(at(meter, 1_000, 5_000, 5_000)).toBeUndefined();
    expect(at(meter, 2_000, 5_200, 5_000)).toBe(100);
  });

  it('counts what a second attempt finds of the first one once', () => {
    const meter = new RateMeter();
    at(meter, 0, 0);
    expect(at(meter, 1_000, 1_000)).toBe(1_000);
    expect(at(meter, 2_000, 0)).toBe(500);
    expect(at(meter, 3_000, 1_000, 1_000)).toBeCloseTo(333, 0);
    expect(at(meter, 4_000, 1_400, 1_000)).toBe(350);
  });
});

describe('RunMeter', () => {
  it('tells no rate and no time left before they are measured', () => {
    const meter = new RunMeter(0);
    expect(meter.add(begun, 0)).toMatchObject({ bytesPerSecond: undefined, secondsLeft: undefined });
    expect(meter.add({ ...begun, bytesDone: 10 * MiB }, 500)).toMatchObject({ bytesPerSecond: undefined });
    const early = meter.add({ ...begun, bytesDone: 20 * MiB }, 2_000);
    expect(early).toMatchObject({ bytesPerSecond: 10 * MiB, secondsLeft: undefined });
    expect(meter.add({ ...begun, bytesDone: 40 * MiB }, 4_000)).toMatchObject({ secondsLeft: 6 });
  });

  it('takes what only the end of a quick run tells as found, not as fetched', () => {
    const meter = new RunMeter(0);
    meter.add({ ...begun, phase: 'authenticate' }, 0);
    meter.add(begun, 500);
    const done = { ...begun, phase: 'done', filesDone: 4, bytesDone: 100 * MiB, foundBytes: 60 * MiB } as const;
    expect(meter.add(done, 2_500)).toMatchObject({ took: { transferSeconds: 2, fetchedBytes: 40 * MiB } });
  });

  it('reckons the end of a resumed run by what is left and by what moved', () => {
    const meter = new RunMeter(0);
    meter.add(begun, 0);
    meter.add({ ...begun, bytesDone: 80 * MiB, foundBytes: 80 * MiB }, 2_000);
    const { bytesPerSecond, secondsLeft, alreadyThere } = meter.add(
      { ...begun, bytesDone: 84 * MiB, foundBytes: 80 * MiB },
      4_000
    );
    expect({ bytesPerSecond, secondsLeft, alreadyThere }).toEqual({
      bytesPerSecond: MiB,
      secondsLeft: 16,
      alreadyThere: 80 * MiB,
    });
  });

  it('does not take for there before what an attempt of the same run left to the next', () => {
    const meter = new RunMeter(0);
    meter.add(begun, 0);
    meter.add({ ...begun, bytesDone: 40 * MiB }, 2_000);
    const waiting = { activity: 'a', activityId: '1', attempt: 2, message: 'm', reason: 'failed' } as const;
    meter.add({ ...begun, bytesDone: 40 * MiB, waiting }, 3_000);
    const again = { ...begun, bytesDone: 50 * MiB, foundBytes: 40 * MiB };
    expect(meter.add(again, 4_000).alreadyThere).toBeUndefined();
    const done: LiveProgress = { ...begun, phase: 'done', bytesDone: 100 * MiB, foundBytes: 40 * MiB };
    expect(meter.add(done, 9_000).took).toMatchObject({ fetchedBytes: 100 * MiB });
  });

  it('never goes back while a batch is between two answers, or begins again', () => {
    const meter = new RunMeter(0);
    meter.add({ ...begun, bytesDone: 50 * MiB, filesDone: 2 }, 0);
    expect(meter.add({ ...begun, bytesDone: 10 * MiB, filesDone: 1 }, 500).progress).toMatchObject({
      bytesDone: 50 * MiB,
      filesDone: 2,
    });
    expect(meter.add({ ...begun, bytesDone: 130 * MiB }, 1_000).progress.bytesDone).toBe(100 * MiB);
  });

  it('tells no time left while a step waits, and neither rate nor time left once all is there', () => {
    const waiting = { activity: 'a', activityId: '1', attempt: 2, message: 'm', reason: 'failed' } as const;
    const meter = new RunMeter(0);
    meter.add(begun, 0);
    expect(meter.add({ ...begun, bytesDone: 40 * MiB, waiting }, 4_000).secondsLeft).toBeUndefined();
    const done: LiveProgress = { ...begun, phase: 'done', bytesDone: 100 * MiB };
    expect(meter.add(done, 5_000)).toMatchObject({
      bytesPerSecond: undefined,
      secondsLeft: undefined,
      took: { seconds: 5, transferSeconds: 5, fetchedBytes: 100 * MiB },
    });
  });

  it('tells no time taken of a run that was under way before it was looked at', () => {
    const meter = new RunMeter(0);
    meter.add({ ...begun, bytesDone: 50 * MiB }, 0);
    expect(meter.add({ ...begun, phase: 'done', bytesDone: 100 * MiB }, 5_000).took).toBeUndefined();
  });
});
