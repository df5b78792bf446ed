import type { Random } from '../../test/helpers/random.js';
import type { HubFaultPlan, StoreFaultPlan, StoreOp } from './round-plan.js';

const MiB = 1024 * 1024;

type HubFaultKind = HubFaultPlan['kind'];
type StoreFaultKind = StoreFaultPlan['kind'];

/** Up to four faults of the Hub and its CDN, and the wrong bytes that a scenario is about. */
export function drawHubFaults(
  draw: Random,
  { short, flips }: { readonly short: boolean; readonly flips?: number | undefined }
): HubFaultPlan[] {
  const drawn = drawAny(draw, short).filter(({ kind }) => flips !== 0 || kind !== 'flip');
  const more = Array.from({ length: flips ?? 0 }, (): HubFaultPlan => {
    return { origin: 'cdn', kind: 'flip', after: draw.int(12), at: draw.int(6 * MiB) };
  });
  return [...more, ...drawn];
}

function drawAny(draw: Random, short: boolean): HubFaultPlan[] {
  const cdn: [HubFaultKind, ...HubFaultKind[]] = [
    ...([
      'flip',
      'flip',
      'flip',
      'flip',
      'flip',
      'cut',
      'slow',
      'reset',
      'reset-body',
      '5xx',
      '429',
      'expired',
    ] as const),
    'pause',
  ];
  // Half a minute until it is noticed.
  if (!short && draw.int(40) === 0) cdn.push('stall', 'stall', 'stall');
  const hub: [HubFaultKind, ...HubFaultKind[]] = ['reset', '5xx', '429'];
  return Array.from({ length: draw.int(5) }, () => {
    const origin = draw.int(5) === 0 ? 'hub' : 'cdn';
    return { origin, kind: draw.pick(origin === 'cdn' ? cdn : hub), after: draw.int(16), at: draw.int(5 * MiB) };
  });
}

const faultsOf: Readonly<Partial<Record<StoreOp, [StoreFaultKind, ...StoreFaultKind[]]>>> = {
  create: ['500', 'slow-down', 'reset', 'lost-answer'],
  part: ['500', 'slow-down', 'reset', 'cut-body', 'slow', 'lost-answer'],
  complete: ['500', 'slow-down', 'reset', 'lost-answer', 'lost-answer'],
  put: ['500', 'slow-down', 'reset', 'cut-body', 'lost-answer'],
  manifest: ['500', 'slow-down', 'reset', 'cut-body', 'lost-answer'],
  copy: ['500', 'slow-down', 'reset', 'lost-answer'],
  list: ['500', 'slow-down', 'reset', 'cut-answer'],
  head: ['500', 'slow-down', 'reset'],
  get: ['500', 'slow-down', 'reset', 'cut-answer', 'slow'],
  delete: ['500', 'slow-down', 'reset', 'lost-answer'],
};

const OPS: [StoreOp, ...StoreOp[]] = [
  ...(['create', 'part', 'part', 'part', 'complete', 'complete', 'complete', 'put', 'manifest', 'copy'] as const),
  ...(['list', 'head', 'get', 'delete'] as const),
];

const RANGE: Readonly<Partial<Record<StoreOp, number>>> = { part: 12, put: 6, head: 12, get: 8, list: 6 };

/** Up to four faults of an S3 store. */
export function drawStoreFaults(draw: Random): StoreFaultPlan[] {
  return Array.from({ length: draw.int(5) }, () => {
    const op = draw.pick(OPS);
    return { op, after: draw.int(RANGE[op] ?? 3), kind: draw.pick(faultsOf[op] ?? ['500']) };
  });
}

/** One round in six has lists that are a minute old. */
export function drawStaleLists(draw: Random, short: boolean): number {
  if (draw.int(6) !== 0) return 0;
  return short ? 3_000 : 60_000;
}
