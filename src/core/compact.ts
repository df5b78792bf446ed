type Compact<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The same object without its undefined fields. */
export function compact<T extends object>(fields: T): Compact<T> {
  const defined = Object.entries(fields).filter(([, value]) => value !== undefined);
  // fromEntries forgets the names of the fields; taking some away keeps the rest of the type true.
  return Object.fromEntries(defined) as Compact<T>;
}
