import { constants } from 'node:os';
import { PrefetchError, type ErrorCode } from '../../../core/errors.js';
import type { DriverEvent } from './driver-events.js';
import { withoutSecrets, type LogTail } from './log-tail.js';
import type { DriverJob, DriverRequest } from './run-driver.js';

const SHOWN_LINES = 20;

/** What was to be run, as far as a failure tells it. */
export type Asked = Pick<DriverJob, 'python'> & {
  readonly request: Pick<DriverRequest, 'vllm_version' | 'tensor_parallel_size'>;
};

/** How a driver ended. */
export interface DriverEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface Circumstances {
  readonly job: Asked;
  readonly log: LogTail;
}

const codes: Readonly<Record<string, ErrorCode>> = {
  version: 'VllmVersionMismatch',
  'vllm-missing': 'VllmUnavailable',
  'private-api': 'VllmUnavailable',
  unsupported: 'UnsupportedSharding',
  resources: 'InsufficientResources',
};

/** The failure that the driver names itself. */
export function driverFailure(
  { kind, message }: Extract<DriverEvent, { event: 'error' }>,
  { job, log }: Circumstances
): PrefetchError {
  const said = withoutSecrets(message);
  if (kind === 'out-of-memory') return outOfMemory(said, { job, log });
  const code = codes[kind];
  if (code === undefined)
    return new PrefetchError('VllmFailed', `vLLM could not shard this model: ${said}${tail(log)}`);
  return new PrefetchError(code, `${said}${repair(code, job)}`, { details: { kind, python: job.python } });
}

/** The failure of a driver that went without a word. */
export function endedEarly(
  { code, signal }: DriverEnd,
  { job, log, spoke }: Circumstances & { readonly spoke: boolean }
): PrefetchError {
  // A watcher that outlives its child passes on how that one ended.
  const killed = signal === 'SIGKILL' || code === 128 + constants.signals.SIGKILL;
  if (killed) return outOfMemory('it was killed (SIGKILL), as the system does when memory runs out', { job, log });
  const how = signal ?? `code ${String(code)}`;
  if (!spoke) {
    return new PrefetchError(
      'VllmUnavailable',
      `${job.python} ended with ${how} instead of starting the vLLM driver${repair('VllmUnavailable', job)}${tail(log)}`,
      { details: { python: job.python } }
    );
  }
  return new PrefetchError('VllmFailed', `vLLM ended with ${how} before it was done${tail(log)}`, {
    details: { code: code ?? undefined, signal: signal ?? undefined },
  });
}

/** The failure of a driver that lives and does not get on. */
export function fellSilent(silenceMs: number, { log }: Pick<Circumstances, 'log'>): PrefetchError {
  return new PrefetchError(
    'VllmFailed',
    `vLLM was ended, for it hung: for ${String(Math.round(silenceMs / 1000))} s nothing new came from its log, and no byte more was loaded or saved. ` +
      `Where it is only slow, give it longer (MODEL_PREFETCH_VLLM_SILENCE)${tail(log)}`,
    { details: { kind: 'silent' } }
  );
}

/** The failure of an interpreter that cannot be started at all. */
export function notStarted(error: unknown, job: Asked): PrefetchError {
  const system = error instanceof Error && 'code' in error ? String(error.code) : 'no code';
  return new PrefetchError(
    'VllmUnavailable',
    `${job.python} cannot be started (${system})${repair('VllmUnavailable', job)}`,
    { details: { python: job.python, system } }
  );
}

function outOfMemory(said: string, { job, log }: Circumstances): PrefetchError {
  const { tensor_parallel_size: ranks } = job.request;
  return new PrefetchError(
    'VllmFailed',
    `vLLM ran out of memory: ${said}. Without GPUs, one rank's part of the model (here 1/${ranks}) has to fit into memory beside 2 GiB for vLLM itself; ` +
      `with GPUs, into each of them. Give the worker more memory, ask for a worker that has it (resources.memory, --mem), or shard into more ranks${tail(log)}`,
    { details: { kind: 'out-of-memory' } }
  );
}

function repair(code: ErrorCode, { python, request }: Asked): string {
  switch (code) {
    case 'VllmVersionMismatch':
      return (
        ` in ${python}: the layout of shards may change between minor versions. Ask for the installed one ` +
        '(shardConfig.args.vllmVersion, --vllm-version), or set MODEL_PREFETCH_PYTHON to the Python that has the other'
      );
    case 'VllmUnavailable':
      return `. Set MODEL_PREFETCH_PYTHON to a Python (3.10 or newer) that has vLLM ${request.vllm_version}`;
    default:
      return '';
  }
}

function tail(log: LogTail): string {
  const lines = log.lines(SHOWN_LINES);
  return lines.length === 0 ? '' : `. Its last words:\n${lines.join('\n')}`;
}
