type Compact<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** The same object without its undefined fields. */
export function compact<T extends object>(fields: T): Compact<T> {
  const defined = Object.entries(fields).filter(([, value]) => value !== undefined);
  // fromEntries forgets the names of the fields; taking some away keeps the rest of the type true.
  return Object.fromEntries(defined) as Compact<T>;
}

/** The same value without fields that are null or undefined, at every level: many languages write null for "not given". */
export function withoutNulls<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const given = Object.entries(value).filter(([, field]) => field !== null && field !== undefined);
  // A field that may not be null was not: of the type, nothing is taken away.
  return Object.fromEntries(given.map(([name, field]) => [name, withoutNulls(field)])) as T;
}
