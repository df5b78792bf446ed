import type { S3FaultProxy } from '../../test/helpers/s3-fault-proxy.js';
import type { Trigger } from '../plan/round-plan.js';
import { beforeRequest } from '../world/store-faults.js';

/** What was seen so far in a round, and what waits for more of it. */
export interface Triggers {
  readonly addBytes: (bytes: number) => void;
  readonly addPublished: () => void;
  readonly when: (trigger: Trigger, happens: () => void) => void;
  readonly bytes: () => number;
  /** Milliseconds since anything was seen. */
  readonly idleMs: () => number;
}

/** Things happen in the very moment in which their condition comes true, in the order in which they were asked for. */
export function makeTriggers({
  totalBytes,
  proxy,
}: {
  readonly totalBytes: number;
  readonly proxy: S3FaultProxy | undefined;
}): Triggers {
  let waiting: { readonly holds: () => boolean; readonly happens: () => void }[] = [];
  let bytes = 0;
  let published = 0;
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
          if (proxy !== undefined) beforeRequest(proxy, trigger.op, trigger.nth, happens);
      }
    },
    bytes: () => bytes,
    idleMs: () => performance.now() - lastMs,
  };
}
