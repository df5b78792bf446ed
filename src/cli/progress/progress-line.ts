import type { LiveProgress } from '../../client.js';
import { formatBytes } from '../../core/progress-text.js';

const DAY_SECONDS = 24 * 60 * 60;

const PHASES: Readonly<Record<LiveProgress['phase'], string>> = {
  authenticate: 'Checking access',
  plan: 'Planning',
  transfer: 'Transferring',
  shard: 'Sharding',
  check: 'Checking',
  publish: 'Publishing',
  done: 'Done',
};

/** Progress with the rate that was measured between two of them. */
export interface Moment {
  readonly progress: LiveProgress;
  readonly bytesPerSecond: number | undefined;
}

/** The phase as people are told it. */
export function progressPhase(phase: LiveProgress['phase']): string {
  return PHASES[phase];
}

/** Who shards and why, to be told once: what only one of the engines needs may be missing. */
export function engineLine({ sharding, cacheHit }: LiveProgress): string | undefined {
  return sharding === undefined || cacheHit ? undefined : `Engine ${sharding.engine} (${sharding.reason})`;
}

/** One line for people: phase, and how far the bytes and files are. */
export function progressLine(moment: Moment): string {
  const { progress } = moment;
  if (progress.cacheHit) return 'Published before: nothing to fetch';
  const parts = [PHASES[progress.phase]];
  if (progress.fileCount > 0 || isSharding(progress)) parts.push(amounts(moment));
  if (progress.waiting !== undefined) parts.push(waiting(progress.waiting));
  return parts.join(': ');
}

/** Shards are written side by side, and not counted as files: what is being done tells more. */
function isSharding({ phase, current }: LiveProgress): boolean {
  return (phase === 'shard' || phase === 'check') && current !== undefined;
}

/** The figures alone: `1.5 GiB of 4.0 GiB (37 %), 210.0 MiB/s, ETA 0:12, 3 of 14 files`. */
export function amounts({ progress, bytesPerSecond }: Moment): string {
  const { bytesDone, totalBytes, filesDone, fileCount, current = '' } = progress;
  const share = totalBytes === 0 ? 100 : Math.floor((Math.min(bytesDone, totalBytes) / totalBytes) * 100);
  const rate =
    bytesPerSecond === undefined
      ? []
      : [`${formatBytes(bytesPerSecond)}/s`, `ETA ${duration((totalBytes - bytesDone) / bytesPerSecond)}`];
  return [
    `${formatBytes(Math.min(bytesDone, totalBytes))} of ${formatBytes(totalBytes)} (${String(share)} %)`,
    ...rate,
    ...(isSharding(progress)
      ? [current]
      : fileCount === 0
        ? []
        : [`${String(filesDone)} of ${String(fileCount)} files`]),
  ].join(', ');
}

/** Why a step is tried again: people must not take a pause for a hang. */
export function waiting({ activity, attempt, message }: NonNullable<LiveProgress['waiting']>): string {
  return `${activity} is tried again (attempt ${String(attempt)}) after ${message}`;
}

/** Seconds as `0:07`, `12:30` or `3:00:00`, and from four days on as `229 days`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole >= 4 * DAY_SECONDS) return `${String(Math.round(whole / DAY_SECONDS))} days`;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const end = String(whole % 60).padStart(2, '0');
  return hours === 0 ? `${String(minutes)}:${end}` : `${String(hours)}:${String(minutes).padStart(2, '0')}:${end}`;
}
