import type { ShardMoment } from '../../steps/shards/shard-in-process.js';
import type { ProgressDisplay } from './displays.js';
import { RunMeter } from './moment.js';

const EVERY_MS = 250;

/** Shows sharding as the progress of a run is shown. */
export function shardProgress(display: ProgressDisplay): (moment: ShardMoment) => void {
  let phase: ShardMoment['phase'] | undefined;
  const meter = new RunMeter(performance.now());
  let lastMs = -Infinity;
  return ({ phase: next, plan, bytesDone, current }) => {
    const nowMs = performance.now();
    if (next === phase && nowMs - lastMs < EVERY_MS) return;
    [phase, lastMs] = [next, nowMs];
    const progress = {
      phase: next,
      fileCount: 0,
      totalBytes: plan?.totalBytes ?? 0,
      filesDone: 0,
      bytesDone,
      cacheHit: false,
      ...(plan === undefined ? {} : { sharding: plan }),
      ...(current === undefined ? {} : { current }),
    };
    display.update(meter.add(progress, nowMs), nowMs);
  };
}
