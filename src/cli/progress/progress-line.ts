import type { LiveProgress } from '../../client.js';
import { counted } from '../../core/progress-text.js';
import { amount, amountOf, duration, percent, rate } from './figures.js';
import type { Moment } from './moment.js';

const PHASES: Readonly<Record<LiveProgress['phase'], string>> = {
  authenticate: 'Checking access',
  plan: 'Planning',
  transfer: 'Transferring',
  shard: 'Sharding',
  check: 'Checking',
  publish: 'Publishing',
  done: 'Done',
};

/** The phase as people are told it. */
export function progressPhase(phase: LiveProgress['phase']): string {
  return PHASES[phase];
}

/** What is told once: who shards and why, for what only one of the engines needs may be missing; what was there. */
export function onceLines({ progress, alreadyThere }: Moment): string[] {
  const { sharding, cacheHit } = progress;
  return [
    ...(alreadyThere === undefined ? [] : [`Already there: ${amount(alreadyThere)}`]),
    ...(sharding === undefined || cacheHit ? [] : [`Engine ${sharding.engine} (${sharding.reason})`]),
  ];
}

/** One line for people: phase, and how far the bytes and files are; or how it went. */
export function progressLine(moment: Moment): string {
  const { progress } = moment;
  if (progress.cacheHit) return 'Published before: nothing to fetch';
  if (progress.phase === 'done') return doneLine(moment);
  const phase = PHASES[progress.phase];
  return hasAmounts(progress) ? `${phase}: ${amounts(moment)}` : phase;
}

/** Whether there is anything to count yet. */
export function hasAmounts(progress: LiveProgress): boolean {
  return progress.totalBytes > 0 ? progress.fileCount > 0 || isSharding(progress) : progress.fileCount > 0;
}

/** The figures alone: `1.5 of 4.0 GiB (37 %), 210 MiB/s, ETA 0:12, 3 of 14 files`. */
function amounts(moment: Moment): string {
  const { bytesDone, totalBytes } = moment.progress;
  const { rate: speed, left, files } = figures(moment);
  return [`${amountOf(bytesDone, totalBytes)} (${percent(bytesDone, totalBytes)})`, speed, left, files]
    .filter((part) => part !== undefined)
    .join(', ');
}

/** What is told besides the amount; each is undefined where it is not known. */
export function figures({ progress, bytesPerSecond, secondsLeft }: Moment): {
  readonly rate: string | undefined;
  readonly left: string | undefined;
  readonly files: string | undefined;
} {
  return {
    rate: bytesPerSecond === undefined ? undefined : rate(bytesPerSecond),
    left: secondsLeft === undefined ? undefined : `ETA ${duration(secondsLeft)}`,
    files: isSharding(progress) ? progress.current : files(progress),
  };
}

/** Big files come side by side and end late: nothing is said of files that are done before one is. */
function files({ filesDone, fileCount }: LiveProgress): string | undefined {
  if (fileCount === 0) return undefined;
  return filesDone === 0 ? counted(fileCount, 'file') : `${String(filesDone)} of ${counted(fileCount, 'file')}`;
}

/** Shards are written side by side, and not counted as files: what is being done tells more. */
function isSharding({ phase, current }: LiveProgress): boolean {
  return (phase === 'shard' || phase === 'check') && current !== undefined;
}

/** `Done: 14 files, 4.0 GiB in 0:21 (195 MiB/s)`; of a resumed run, the rate is that of what was fetched. */
function doneLine({ progress, took }: Moment): string {
  const { fileCount, totalBytes } = progress;
  const what = `Done: ${counted(fileCount, 'file')}, ${amount(totalBytes)}`;
  if (took === undefined) return what;
  const { seconds, transferSeconds = 0, fetchedBytes: fetched } = took;
  const speed = fetched > 0 && transferSeconds >= 1 ? rate(fetched / transferSeconds) : undefined;
  const how = [
    ...(fetched > 0 && fetched < totalBytes ? [`${amount(fetched)} fetched`] : []),
    ...(speed === undefined ? [] : [speed]),
  ].join(' at ');
  return `${what} in ${duration(seconds)}${how === '' ? '' : ` (${how})`}`;
}
