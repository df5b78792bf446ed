const WINDOW_MS = 10_000;
/** Heartbeats come every other second: less than one of them is no measure. */
const LEAST_MS = 1_000;

/** Bytes of a run at a moment. */
export interface Count {
  readonly bytesDone: number;
  /** Of these, bytes that lay in the store already. */
  readonly foundBytes?: number;
}

/** A rate, and over how long it was measured. */
export interface MeasuredRate {
  readonly bytesPerSecond: number;
  readonly overMs: number;
}

/** Bytes per second over the last ten seconds: of bytes that moved, not of those that were found in the store. */
export class RateMeter {
  readonly #samples: { readonly atMs: number; readonly moved: number }[] = [];
  #last: Required<Count> | undefined;
  #moved = 0;

  /** Bytes that moved since the first count. */
  get moved(): number {
    return this.#moved;
  }

  /** Takes the count at a moment and gives the rate; undefined until there is something to tell. */
  add(atMs: number, { bytesDone, foundBytes = 0 }: Count): MeasuredRate | undefined {
    const last = this.#last ?? { bytesDone, foundBytes };
    // An attempt that starts again reports less at first, and finds what the one before brought.
    this.#last = {
      bytesDone: Math.max(bytesDone, last.bytesDone),
      foundBytes: Math.max(foundBytes, last.foundBytes),
    };
    const found = this.#last.foundBytes - last.foundBytes;
    this.#moved += Math.max(0, this.#last.bytesDone - last.bytesDone - found);
    this.#samples.push({ atMs, moved: this.#moved });
    while ((this.#samples[1]?.atMs ?? atMs) <= atMs - WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0];
    if (first === undefined || atMs - first.atMs < LEAST_MS || this.#moved === first.moved) return undefined;
    const overMs = atMs - first.atMs;
    return { bytesPerSecond: ((this.#moved - first.moved) * 1000) / overMs, overMs };
  }
}
