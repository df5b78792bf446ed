import { setTimeout as delay } from 'node:timers/promises';
import type { LiveProgress, PrefetchHandle } from '../../client.js';
import type { Dir } from '../../core/contract.js';
import type { CliContext } from '../context.js';
import type { Session } from '../session/session.js';
import { progressDisplay } from './displays.js';
import { RateMeter } from './rate-meter.js';

const POLL_MS = 500;

/** Waits for the Dir of a run and shows how far it is. */
export async function followRun(
  handle: PrefetchHandle,
  session: Pick<Session, 'broken'>,
  context: Pick<CliContext, 'stderr' | 'signal'>
): Promise<Dir> {
  const over = new AbortController();
  const showing = showProgress(handle, context, over.signal);
  try {
    return await Promise.race([handle.result({ signal: context.signal }), session.broken]);
  } finally {
    over.abort();
    await showing;
  }
}

async function showProgress(
  handle: PrefetchHandle,
  { stderr }: Pick<CliContext, 'stderr'>,
  over: AbortSignal
): Promise<void> {
  const display = progressDisplay(stderr);
  const meter = new RateMeter();
  while (!over.aborted) {
    const progress = await Promise.race([askProgress(handle), aborted(over)]);
    if (progress !== undefined) {
      const nowMs = performance.now();
      display.update({ progress, bytesPerSecond: meter.add(nowMs, progress.bytesDone) }, nowMs);
    }
    await delay(POLL_MS, undefined, { signal: over }).catch(() => undefined);
  }
  display.end();
}

/** A question that nobody answered is asked again; the result of the run is what counts. */
async function askProgress(handle: PrefetchHandle): Promise<LiveProgress | undefined> {
  return handle.progress().catch(() => undefined);
}

async function aborted(signal: AbortSignal): Promise<undefined> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener(
      'abort',
      () => {
        resolve();
      },
      { once: true }
    );
  });
  return undefined;
}
