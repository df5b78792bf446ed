const UNIT_MS = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** Milliseconds of a duration such as `90s`, `10m` or `2h`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = /^([1-9]\d{0,5})([smh])$/.exec(text) ?? [];
  const unitMs = UNIT_MS.get(unit ?? '');
  return unitMs === undefined ? undefined : Number(count) * unitMs;
}
