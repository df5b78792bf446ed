import type { StoreOp, Trigger } from '../plan/round-plan.js';

/** What was seen so far in a round, and what waits for more of it. */
export interface Triggers {
  readonly addBytes: (bytes: number) => void;
  readonly addPublished: () => void;
  readonly addRequest: (op: StoreOp) => void;
  readonly when: (trigger: Trigger, happens: () => void) => void;
  readonly bytes: () => number;
  /** Milliseconds since anything was seen. */
  readonly idleMs: () => number;
}

/** Things happen in the very moment in which their condition comes true, in the order in which they were asked for. */
export function makeTriggers(totalBytes: number): Triggers {
  let waiting: { readonly holds: () => boolean; readonly happens: () => void }[] = [];
  let bytes = 0;
  let published = 0;
  const requests = new Map<StoreOp, number>();
  let lastMs = performance.now();
  const look = () => {
    lastMs = performance.now();
    const due = waiting.filter(({ holds }) => holds());
    if (due.length === 0) return;
    waiting = waiting.filter((one) => !due.includes(one));
    for (const { happens } of due) happens();
  };
  return {
    addBytes: (count) => {
      bytes += count;
      look();
    },
    addPublished: () => {
      published += 1;
      look();
    },
    addRequest: (op) => {
      requests.set(op, (requests.get(op) ?? 0) + 1);
      look();
    },
    when: (trigger, happens) => {
      switch (trigger.kind) {
        case 'at-once':
          happens();
          return;
        case 'bytes':
          waiting.push({ holds: () => bytes >= trigger.share * totalBytes, happens });
          return;
        case 'published':
          waiting.push({ holds: () => published >= trigger.dirs, happens });
          return;
        case 'store':
          waiting.push({ holds: () => (requests.get(trigger.op) ?? 0) >= trigger.nth, happens });
      }
    },
    bytes: () => bytes,
    idleMs: () => performance.now() - lastMs,
  };
}
