export interface Random {
  /** A whole number from 0 up to, but not including, `below`. */
  readonly int: (below: number) => number;
  readonly pick: <T>(items: readonly [T, ...T[]]) => T;
}

/** Numbers that look random and are the same in every run with the same seed (the mulberry32 generator). */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const int = (below: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
  return { int, pick: (items) => items[int(items.length)] ?? items[0] };
}
