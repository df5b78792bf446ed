import { KiB } from '../core/units.js';

/** The fewest bytes that must move in each window of time. */
export interface LeastRate {
  readonly bytes: number;
  readonly windowMs: number;
}

/** What a connection is borne with. */
export interface Patience {
  /** Longest silence. */
  readonly stallMs: number;
  readonly leastRate?: LeastRate | undefined;
}

/**
 * 1 KiB/s, over a minute. The poorest honest link that we know of, 1 Mbit/s under 4 lanes and 32 small files, leaves
 * each connection three times as much, and a minute evens out what TCP does not share fairly.
 */
export const defaultLeastRate: LeastRate = { bytes: 60 * KiB, windowMs: 60_000 };

/** Notices that nothing moved for a while, or too little over a longer one. */
export interface StallWatch {
  /** Something moved; bytes that count for the rate, if any. */
  progress(bytes?: number): void;
  /** It is we who wait now, so that neither silence nor slowness is the other side's. */
  pause(): void;
  /** The rate counts from the next byte on: from now on the other side may be busy. */
  restart(): void;
  stop(): void;
}

/** Calls `onStall` once, with words such as "nothing for 30000 ms" that follow on "sent". */
export function watchStall(
  { stallMs, leastRate = defaultLeastRate }: Patience,
  onStall: (what: string) => void
): StallWatch {
  let last = performance.now();
  let pausedAt: number | undefined;
  // The first byte opens the first window: until then only silence counts.
  let windowStart: number | undefined;
  let moved = 0;
  let timer = setTimeout(check, Math.min(stallMs, leastRate.windowMs));

  // One timer that looks back costs nothing per chunk; a timer moved by every chunk would.
  function check(): void {
    const now = performance.now();
    if (pausedAt !== undefined) resume(now);
    const silentIn = last + stallMs - now;
    const windowEndsIn = windowStart === undefined ? leastRate.windowMs : windowStart + leastRate.windowMs - now;
    if (silentIn <= 0) {
      onStall(`nothing for ${stallMs} ms`);
    } else if (windowEndsIn > 0) {
      timer = setTimeout(check, Math.max(1, Math.min(silentIn, windowEndsIn)));
    } else if (moved < leastRate.bytes) {
      onStall(`${moved} bytes in ${leastRate.windowMs} ms, where ${leastRate.bytes} are the least that is borne`);
    } else {
      windowStart = now;
      moved = 0;
      timer = setTimeout(check, Math.max(1, Math.min(silentIn, leastRate.windowMs)));
    }
  }

  /** Time that was ours is taken out of the window, also where we go on waiting. */
  function resume(now: number): void {
    if (pausedAt === undefined) return;
    if (windowStart !== undefined) windowStart += now - pausedAt;
    pausedAt = now;
    last = now;
  }

  return {
    progress(bytes = 0) {
      last = performance.now();
      if (pausedAt !== undefined) {
        resume(last);
        pausedAt = undefined;
      }
      windowStart ??= last;
      moved += bytes;
    },
    pause() {
      pausedAt ??= performance.now();
    },
    restart() {
      windowStart = undefined;
      moved = 0;
      last = performance.now();
    },
    stop() {
      clearTimeout(timer);
    },
  };
}
