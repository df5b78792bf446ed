const WINDOW_MS = 10_000;

/** Bytes per second over the last ten seconds, from totals that may stand still or step back for a moment. */
export class RateMeter {
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = [];

  /** Takes the total at a moment and gives the rate; undefined until there is something to tell. */
  add(atMs: number, bytes: number): number | undefined {
    // An attempt that starts again reports less than the one before; the bar does not go backwards.
    const total = Math.max(bytes, this.#samples.at(-1)?.bytes ?? 0);
    this.#samples.push({ atMs, bytes: total });
    while ((this.#samples[1]?.atMs ?? atMs) <= atMs - WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0];
    if (first === undefined || atMs - first.atMs < 500 || total === first.bytes) return undefined;
    return ((total - first.bytes) * 1000) / (atMs - first.atMs);
  }
}
