/** The base name of the queues where nobody says another. */
export const DEFAULT_TASK_QUEUE = 'model-prefetch';

/** What a worker does; each role has a queue of its own. */
export type Role = 'main' | 'transfer' | 'wait' | 'shard' | 'gpu';
/** All roles, in the order in which they are listed to people. */
export const ROLES: readonly Role[] = ['main', 'transfer', 'wait', 'shard', 'gpu'];

/** What a process serves that names no roles: GPUs must be asked for. */
export const DEFAULT_ROLES: readonly Role[] = ['main', 'transfer', 'wait', 'shard'];

/** The task queue of a role. The base is also the queue of the workflows, so it is all that a starter needs to know. */
export function taskQueue(base: string, role: Role, gpu?: string): string {
  if (role === 'main') return base;
  if (role !== 'gpu' || gpu === undefined) return `${base}-${role}`;
  // "A100:4" -> "a100-4"; a bare count names any model.
  return `${base}-gpu-${gpu.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`;
}
