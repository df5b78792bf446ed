import { PrefetchError } from '../core/errors.js';
import type { Role } from '../core/queues.js';

/** Fails as `InvalidInput` where GPUs are named and nobody would serve their queue: no process does by default. */
export function checkGpuIsServed(roles: readonly Role[] | undefined, gpu: string | undefined): void {
  if (gpu === undefined || roles?.includes('gpu') === true) return;
  throw new PrefetchError(
    'InvalidInput',
    `roles: expected gpu among them, for GPUs are given (${gpu}), and without that role nothing is done on them`
  );
}
