import { GiB, KiB, MiB } from '../core/units.js';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KiB,
  MiB,
  GiB,
  KB: 1000,
  MB: 1_000_000,
  GB: 1_000_000_000,
};

/** Reads `8MiB`, `500 MB` or `1048576` as bytes; undefined when it is none of these. */
export function parseByteSize(text: string): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim()) ?? [];
  const factor = UNITS[unit ?? ''];
  if (amount === undefined || factor === undefined) return undefined;
  const size = Math.round(Number(amount) * factor);
  return Number.isSafeInteger(size) ? size : undefined;
}
