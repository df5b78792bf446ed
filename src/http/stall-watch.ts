/** Notices that nothing moved for a while. */
export interface StallWatch {
  /** Something moved. */
  progress(): void;
  /** It is we who wait now, so that silence is no stall. */
  pause(): void;
  stop(): void;
}

/** Calls `onStall` once when `stallMs` pass without progress. */
export function watchStall(stallMs: number, onStall: () => void): StallWatch {
  let last = performance.now();
  let paused = false;
  let timer = setTimeout(check, stallMs);

  // One timer that looks back costs nothing per chunk; a timer moved by every chunk would.
  function check(): void {
    if (paused) last = performance.now();
    const left = last + stallMs - performance.now();
    if (left <= 0) onStall();
    else timer = setTimeout(check, Math.max(1, left));
  }

  return {
    progress() {
      last = performance.now();
      paused = false;
    },
    pause() {
      paused = true;
    },
    stop() {
      clearTimeout(timer);
    },
  };
}
