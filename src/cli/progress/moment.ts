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
  readonly took?: { readonly seconds: number; readonly transferSeconds: number | undefined } | undefined;
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
  #alreadyThere: number | undefined;

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  add(progress: LiveProgress, nowMs: number): Moment {
    if (progress.phase !== this.#phase) this.#enter(progress, nowMs);
    const steady = this.#steady(progress);
    const measured = this.#meter.add(nowMs, steady);
    const bytesPerSecond = isMoving(progress) ? measured?.bytesPerSecond : undefined;
    const isKnown = bytesPerSecond !== undefined && (measured?.overMs ?? 0) >= GUESS_AFTER_MS;
    return {
      progress: steady,
      bytesPerSecond,
      secondsLeft:
        isKnown && progress.waiting === undefined
          ? (steady.totalBytes - steady.bytesDone) / bytesPerSecond
          : undefined,
      alreadyThere: this.#found(steady, nowMs),
      took: progress.phase === 'done' && this.#isWhole ? this.#took(nowMs) : undefined,
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

  #found({ phase, foundBytes = 0 }: LiveProgress, nowMs: number): number | undefined {
    const isSettled = phase === 'publish' || (phase === 'transfer' && nowMs - this.#phaseMs >= FOUND_AFTER_MS);
    if (this.#alreadyThere === undefined && isSettled && foundBytes > 0) this.#alreadyThere = foundBytes;
    return this.#alreadyThere;
  }

  #took(nowMs: number): NonNullable<Moment['took']> {
    const ms = this.#transferMs;
    return { seconds: (nowMs - this.#startMs) / 1000, transferSeconds: ms === undefined ? undefined : ms / 1000 };
  }
}

const NOTHING = { bytesDone: 0, filesDone: 0, foundBytes: 0 };

function isMoving({ phase }: LiveProgress): boolean {
  return phase === 'transfer' || phase === 'shard' || phase === 'check';
}
