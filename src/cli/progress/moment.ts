import type { LiveProgress } from '../../client.js';
import { RateMeter } from './rate-meter.js';

/** A guess at the end is worth nothing before the rate is known for a while. */
const GUESS_AFTER_MS = 3_000;
/** By then every batch has said what it found. */
const FOUND_AFTER_MS = 3_000;

/** Progress with what was measured between several of them. */
export interface Moment {
  readonly progress: LiveProgress;
  readonly bytesPerSecond?: number | undefined;
  readonly secondsLeft?: number | undefined;
  /** Bytes that lay in the store when the transfer began, once they are known. */
  readonly alreadyThere?: number | undefined;
  /** At the end: how long it took; absent for a run that was under way before it was looked at. */
  readonly took?: Took | undefined;
}

/** How long a run took, and what of it was the transfer of how much. */
export interface Took {
  readonly seconds: number;
  readonly transferSeconds?: number | undefined;
  readonly fetchedBytes: number;
}

/** Measures a run from moment to moment. What it tells never goes back within a phase. */
export class RunMeter {
  readonly #startMs: number;
  #phase: LiveProgress['phase'] | undefined;
  #phaseMs = 0;
  #meter = new RateMeter();
  #most = NOTHING;
  #transferMs: number | undefined;
  #isWhole = false;
  /** What lay there before this run, not what one of its own attempts left for the next. */
  #before = 0;
  #hasFailed = false;
  #alreadyThere: number | undefined;

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  add(progress: LiveProgress, nowMs: number): Moment {
    if (progress.phase !== this.#phase) this.#enter(progress, nowMs);
    const steady = this.#steady(progress);
    const measured = this.#meter.add(nowMs, steady);
    this.#hasFailed ||= progress.waiting?.reason === 'failed';
    if (progress.phase === 'transfer' && !this.#hasFailed) {
      this.#before = Math.min(steady.foundBytes ?? 0, steady.bytesDone - this.#meter.moved);
    }
    const bytesPerSecond = isMoving(progress) ? measured?.bytesPerSecond : undefined;
    const isKnown = bytesPerSecond !== undefined && (measured?.overMs ?? 0) >= GUESS_AFTER_MS;
    return {
      progress: steady,
      bytesPerSecond,
      secondsLeft:
        isKnown && progress.waiting === undefined ? (steady.totalBytes - steady.bytesDone) / bytesPerSecond : undefined,
      alreadyThere: this.#found(progress, nowMs),
      took: progress.phase === 'done' && this.#isWhole ? this.#took(progress, nowMs) : undefined,
    };
  }

  #enter({ phase, bytesDone, foundBytes }: LiveProgress, nowMs: number): void {
    if (this.#phase === undefined) this.#isWhole = phase !== 'transfer' || bytesDone === (foundBytes ?? 0);
    if (this.#phase === 'transfer') this.#transferMs = nowMs - this.#phaseMs;
    this.#phase = phase;
    this.#phaseMs = nowMs;
    this.#meter = new RateMeter();
    this.#most = NOTHING;
  }

  /** Between two answers a batch is in neither of them for a moment, and an attempt that starts again has nothing yet. */
  #steady(progress: LiveProgress): LiveProgress {
    const { bytesDone, filesDone, totalBytes, fileCount, foundBytes } = progress;
    this.#most = {
      bytesDone: Math.min(totalBytes, Math.max(bytesDone, this.#most.bytesDone)),
      filesDone: Math.min(fileCount, Math.max(filesDone, this.#most.filesDone)),
      foundBytes: Math.min(totalBytes, Math.max(foundBytes ?? 0, this.#most.foundBytes)),
    };
    const most = { ...progress, bytesDone: this.#most.bytesDone, filesDone: this.#most.filesDone };
    return foundBytes === undefined ? most : { ...most, foundBytes: this.#most.foundBytes };
  }

  #found({ phase }: LiveProgress, nowMs: number): number | undefined {
    const isSettled = phase === 'publish' || (phase === 'transfer' && nowMs - this.#phaseMs >= FOUND_AFTER_MS);
    if (this.#alreadyThere === undefined && isSettled && this.#before > 0) this.#alreadyThere = this.#before;
    return this.#alreadyThere;
  }

  #took({ totalBytes, foundBytes, sharding }: LiveProgress, nowMs: number): Took {
    const ms = this.#transferMs;
    // The end knows all that was found, which a last look missed; but what a failed attempt left was fetched by this run.
    const found = this.#hasFailed && ms !== undefined ? undefined : foundBytes;
    // Of shards, the bytes are others than were fetched.
    const before = found ?? (ms === undefined ? totalBytes : this.#before);
    return {
      seconds: (nowMs - this.#startMs) / 1000,
      transferSeconds: ms === undefined ? undefined : ms / 1000,
      fetchedBytes: sharding === undefined ? totalBytes - before : 0,
    };
  }
}

const NOTHING = { bytesDone: 0, filesDone: 0, foundBytes: 0 };

function isMoving({ phase }: LiveProgress): boolean {
  return phase === 'transfer' || phase === 'shard' || phase === 'check';
}
