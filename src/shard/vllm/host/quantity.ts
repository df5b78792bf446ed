import { PrefetchError } from '../../../core/errors.js';
import { GiB, KiB, MiB } from '../../../core/units.js';

const factors: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: KiB,
  Mi: MiB,
  Gi: GiB,
  Ti: 1024 * GiB,
};

/** The number that a quantity of Kubernetes stands for: "32", "500m", "256Gi". */
export function parseQuantity(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(m|Ki|Mi|Gi|Ti|K|M|G|T)?$/.exec(text);
  const factor = factors[match?.[2] ?? ''];
  if (match === null || factor === undefined) {
    throw new PrefetchError('InvalidInput', `Expected a quantity such as "32" or "256Gi", got ${JSON.stringify(text)}`);
  }
  return Number(match[1]) * factor;
}

/** Bytes for people, as they write quantities. */
export function formatBytes(bytes: number): string {
  return bytes >= GiB ? `${(bytes / GiB).toFixed(1)}Gi` : `${Math.ceil(bytes / MiB)}Mi`;
}
