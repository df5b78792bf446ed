export const DEFAULT_TASK_QUEUE = 'model-prefetch';

export type Role = 'main' | 'transfer' | 'wait' | 'shard' | 'gpu';
export const ROLES: readonly Role[] = ['main', 'transfer', 'wait', 'shard', 'gpu'];

/** The task queue of a role. The base is also the queue of the workflows, so it is all that a starter needs to know. */
export function taskQueue(base: string, role: Role, gpu?: string): string {
  if (role === 'main') return base;
  if (role !== 'gpu' || gpu === undefined) return `${base}-${role}`;
  // "A100:4" -> "a100-4"; a bare count names any model.
  return `${base}-gpu-${gpu.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`;
}
