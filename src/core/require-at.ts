/** What a list has at a position that it must have; a hole is a mistake of ours, and not to be read over. */
export function requireAt<T>(list: readonly T[], position: number): T {
  const found = list[position];
  if (found === undefined) throw new Error(`There is nothing at ${String(position)} of ${String(list.length)}`);
  return found;
}

/** What a map has under a key that it must have; a hole is a mistake of ours here too. */
export function requireKey<K, T>(map: ReadonlyMap<K, T>, key: K): T {
  const found = map.get(key);
  if (found === undefined) throw new Error(`There is nothing under ${String(key)}`);
  return found;
}
