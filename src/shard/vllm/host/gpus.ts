import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const ANSWER_MS = 30_000;

/** GPUs of one kind: `A100:4`; without a model, any will do. */
export interface GpuSpec {
  readonly model?: string;
  readonly count: number;
}

/** Reads MODEL:COUNT; a number alone is a count. */
export function parseGpuSpec(text: string): GpuSpec {
  const colon = text.lastIndexOf(':');
  const count = Number(text.slice(colon + 1));
  return colon === -1 ? { count } : { model: text.slice(0, colon), count };
}

/** Names of the GPUs that NVIDIA's driver shows; undefined where it cannot be asked. */
export async function listGpus(
  environment: Readonly<Record<string, string | undefined>>,
  { signal }: { readonly signal: AbortSignal }
): Promise<readonly string[] | undefined> {
  const { PATH, CUDA_VISIBLE_DEVICES: visible } = environment;
  const env = { ...(PATH === undefined ? {} : { PATH }) };
  const asked = await execute('nvidia-smi', ['--query-gpu=name', '--format=csv,noheader'], {
    env,
    signal,
    timeout: ANSWER_MS,
  }).catch(() => undefined);
  signal.throwIfAborted();
  const names = asked?.stdout
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  // nvidia-smi shows them all, whatever a process may use.
  return visible === undefined ? names : names?.slice(0, visible.split(',').filter((id) => id.trim() !== '').length);
}

/**
 * How many of these are of the model asked for: "A100-80GB" is an "NVIDIA A100-SXM4-80GB". Words count as a whole, for an
 * L40S is no L4, and an RTX A1000 no A100.
 */
export function countMatching(names: readonly string[], model: string | undefined): number {
  if (model === undefined) return names.length;
  const wanted = wordsOf(model);
  return names.map(wordsOf).filter((words) => wanted.every((word) => words.includes(word))).length;
}

function wordsOf(name: string): string[] {
  return name.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}
