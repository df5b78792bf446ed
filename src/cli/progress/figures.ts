const DAY_SECONDS = 24 * 60 * 60;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** How much of how much, in one unit: `1.5 of 4.0 GiB`. */
export function amountOf(bytes: number, totalBytes: number): string {
  const power = powerOf(totalBytes);
  return `${inUnit(Math.min(bytes, totalBytes), power, totalBytes)} of ${amount(totalBytes)}`;
}

/** Bytes as people say them: `4.0 GiB`, `73 MiB`. */
export function amount(bytes: number): string {
  const power = powerOf(bytes);
  return `${inUnit(bytes, power, bytes)} ${UNITS[power] ?? 'B'}`;
}

/** Bytes per second, no finer than they are measured: `7.3 MiB/s`, `210 MiB/s`. */
export function rate(bytesPerSecond: number): string {
  const power = powerOf(bytesPerSecond);
  const shown = bytesPerSecond / 1024 ** power;
  return `${power === 0 || shown >= 9.95 ? String(Math.round(shown)) : shown.toFixed(1)} ${UNITS[power] ?? 'B'}/s`;
}

/** A share, rounded down: only all of it is `100 %`. */
export function percent(part: number, whole: number): string {
  return `${String(whole === 0 ? 100 : Math.floor((Math.min(part, whole) / whole) * 100))} %`;
}

/** Seconds as `0:07`, `12:30` or `3:00:00`, and from four days on as `229 days`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole >= 4 * DAY_SECONDS) return `${String(Math.round(whole / DAY_SECONDS))} days`;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const end = String(whole % 60).padStart(2, '0');
  return hours === 0 ? `${String(minutes)}:${end}` : `${String(hours)}:${String(minutes).padStart(2, '0')}:${end}`;
}

/** Of bytes; nobody reads 1024 KiB. */
function powerOf(bytes: number): number {
  let power = 0;
  while (Math.round(bytes / 1024 ** power) >= 1024 && power < UNITS.length - 1) power += 1;
  return power;
}

/** One decimal where it tells something: of what is small in its unit, and of gibibytes below a hundred. */
function inUnit(bytes: number, power: number, totalBytes: number): string {
  const total = totalBytes / 1024 ** power;
  const isFine = power > 0 && total < (power > 2 ? 99.95 : 9.95);
  // Rounded down as the share is, so that both say at once that all is there.
  const shown =
    bytes === totalBytes ? total : Math.floor((bytes / 1024 ** power) * (isFine ? 10 : 1)) / (isFine ? 10 : 1);
  return isFine ? shown.toFixed(1) : String(Math.round(shown));
}
