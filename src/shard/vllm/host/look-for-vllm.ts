import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { driverEnvironment } from '../driver/driver-environment.js';
import { parseDriverEvent } from '../driver/driver-events.js';
import { driverFailure, notStarted } from '../driver/driver-failures.js';
import { createLogTail } from '../driver/log-tail.js';
import type { VllmDependencies, VllmShardRequest } from '../job.js';

const LOOK = fileURLToPath(new URL('../../../../python/model_prefetch_look.py', import.meta.url));
/** A Python on a slow network disk takes seconds. */
const ANSWER_MS = 60_000;

/**
 * Fails where this host is sure to have no vLLM, or another one than is asked for, before anything is fetched for it. It
 * takes a moment; what only starting vLLM can tell is told then.
 */
export async function lookForVllm(
  { args }: Pick<VllmShardRequest, 'args'>,
  { python, environment, scratchFolder }: Pick<VllmDependencies, 'python' | 'environment' | 'scratchFolder'>,
  { signal }: { readonly signal: AbortSignal }
): Promise<void> {
  const request = { vllm_version: args.vllmVersion, tensor_parallel_size: args.tensorParallelSize };
  const job = { python, request };
  const { error, stdout } = await run(python, [LOOK, args.vllmVersion], {
    env: driverEnvironment(environment, { home: scratchFolder }),
    signal,
  });
  signal.throwIfAborted();
  // A number is how it ended: it may be no Python at all, but something that starts one.
  if (error !== null && typeof error.code === 'string' && !error.killed) throw notStarted(error, job);
  for (const line of stdout.split('\n')) {
    const event = parseDriverEvent(line);
    if (event?.event === 'error') throw driverFailure(event, { job, log: createLogTail(() => undefined) });
  }
}

type Ended = Error & { readonly code?: unknown; readonly killed?: boolean };

function run(
  command: string,
  args: readonly string[],
  options: { readonly env: Record<string, string>; readonly signal: AbortSignal }
): Promise<{ readonly error: Ended | null; readonly stdout: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      args,
      { ...options, timeout: ANSWER_MS, killSignal: 'SIGKILL' },
      (error, stdout) => {
        resolve({ error, stdout });
      }
    );
    child.stdin?.on('error', () => undefined).end();
  });
}
