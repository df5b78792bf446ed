import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { unlessAborted } from '../../../tasks/unless-aborted.js';
import type { DriverDone, DriverEvent } from './driver-events.js';
import { driverFailure, endedEarly, fellSilent, notStarted } from './driver-failures.js';
import { endGroup } from './end-group.js';
import { createLogTail } from './log-tail.js';
import { watchNews } from './news-watch.js';
import { readEvents } from './read-events.js';

/** The driver of this package, beside `src` and `dist`. */
export const DRIVER = fileURLToPath(new URL('../../../../python/model_prefetch_shard.py', import.meta.url));

const GRACE_MS = 20_000;
// Loading says how far it is, and so does saving; compiling kernels is silent for minutes.
const SILENCE_MS = 30 * 60_000;
const DRAIN_MS = 2_000;

/** The request as the driver reads it, so the names are Python's. */
export interface DriverRequest {
  readonly model: string;
  readonly output: string;
  readonly tensor_parallel_size: number;
  readonly vllm_version: string;
  readonly dtype: string;
  readonly max_model_len: number | null;
  readonly trust_remote_code: boolean;
  readonly file_pattern: string;
  readonly max_file_size: number;
  readonly device: 'gpu' | 'cpu' | null;
}

/** A driver to be run. */
export interface DriverJob {
  readonly python: string;
  readonly driver: string;
  readonly request: DriverRequest;
  /** All of its environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where it works. */
  readonly folder: string;
  /** How long processes that were asked to end may take. */
  readonly graceMs?: number;
  /** How long it may say nothing new before it is taken for hung. */
  readonly silenceMs?: number;
}

interface DriverOptions {
  readonly signal: AbortSignal;
  readonly onEvent?: (event: DriverEvent) => void;
}

/** Runs the driver to its end. When this settles, no process of it is left, whatever happened. */
export async function runDriver(
  job: DriverJob,
  { signal, onEvent = () => undefined }: DriverOptions
): Promise<DriverDone> {
  signal.throwIfAborted();
  const { graceMs = GRACE_MS, silenceMs = SILENCE_MS } = job;
  const { child, pid } = await start(job);
  const news = watchNews(silenceMs);
  const log = createLogTail((line) => {
    news.heard(line);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log.add(text);
  });
  const exited = settled(once(child, 'exit'));
  const closed = settled(once(child, 'close'));
  let spoke = false;
  let done: DriverDone | undefined;
  const heard = new AbortController();
  const events = readEvents(child.stdout, (event) => {
    spoke = true;
    news.heard(JSON.stringify(event));
    if (event.event === 'error') throw driverFailure(event, { job, log });
    onEvent(event);
    if (event.event !== 'done') return;
    done = event;
    heard.abort();
  });
  // A failure that it reports, and a line that nobody understands, end it at once.
  events.catch(() => {
    heard.abort();
  });
  try {
    // The input stays open: when this process dies, in whatever way, the driver sees it end.
    child.stdin.write(`${JSON.stringify(job.request)}\n`);
    await settled(unlessAborted(exited, { signal: AbortSignal.any([signal, heard.signal, news.signal]) }));
    // One that is done gets time to put its things away.
    if (done !== undefined) {
      const ended = Promise.race([exited, delay(graceMs, undefined, { ref: false })]);
      await settled(unlessAborted(ended, { signal }));
    }
  } finally {
    news.stop();
    await endGroup(pid, graceMs);
    // What is in the pipes yet is read; a process that left the group may hold them open for ever.
    await Promise.race([Promise.all([closed, settled(events)]), delay(DRAIN_MS)]);
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy();
  }
  signal.throwIfAborted();
  if (news.signal.aborted) throw fellSilent(silenceMs, { log });
  await events;
  if (done !== undefined) return done;
  throw endedEarly({ code: child.exitCode, signal: child.signalCode }, { job, log, spoke });
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

async function start(job: DriverJob): Promise<{ readonly child: Child; readonly pid: number }> {
  const { python, driver, environment, folder } = job;
  try {
    // In a process group of its own, so that all it starts can be ended with it.
    const child = spawn(python, [driver], {
      detached: true,
      cwd: folder,
      env: { ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    // It may end while it is written to; its exit says more than that.
    child.stdin.on('error', () => undefined);
    await once(child, 'spawn');
    const { pid } = child;
    // Whoever ends group 0 ends himself.
    if (pid === undefined) throw new Error('it has no process ID');
    return { child, pid };
  } catch (error) {
    throw notStarted(error, job);
  }
}

/** The end of something, good or bad. */
async function settled(promise: Promise<unknown>): Promise<void> {
  await promise.catch(() => undefined);
}
