import { setTimeout as delay } from 'node:timers/promises';
import type { LiveProgress, PrefetchHandle } from '../../client.js';
import type { Dir } from '../../core/contract.js';
import { PrefetchError } from '../../core/errors.js';
import { unlessAborted } from '../../tasks/unless-aborted.js';
import type { CliContext } from '../context.js';
import type { Session } from '../session/session.js';
import { progressDisplay, type ProgressDisplay } from './displays.js';
import { RateMeter } from './rate-meter.js';

const POLL_MS = 500;
const LAST_LOOK_MS = 2_000;
/** A way that is cut without a word must not hide the progress when it is back. */
const LOOK_MS = 10_000;

/** Waits for the Dir of a run and shows how far it is. */
export async function followRun(
  handle: PrefetchHandle,
  session: Pick<Session, 'broken' | 'kind'>,
  { stderr, signal, pollMs = POLL_MS }: Pick<CliContext, 'stderr' | 'signal'> & { readonly pollMs?: number }
): Promise<Dir> {
  const display = progressDisplay(stderr);
  const meter = new RateMeter();
  const outage = tellOutage(session, display);
  const show = (progress: LiveProgress) => {
    outage.over();
    const nowMs = performance.now();
    display.update({ progress, bytesPerSecond: meter.add(nowMs, progress.bytesDone) }, nowMs);
  };
  const over = new AbortController();
  const showing = pollProgress(handle, show, { over: over.signal, pollMs });
  try {
    const dir = await Promise.race([handle.result({ signal, onOutage: outage.on }), session.broken]);
    // A quick run ends between two polls: people still want to see how it went.
    await showEnd(handle, show);
    return dir;
  } finally {
    over.abort();
    await showing;
    display.end();
  }
}

/** Says once that the server is away, and again only after it was back. */
function tellOutage(
  { kind }: Pick<Session, 'kind'>,
  display: ProgressDisplay
): { readonly on: (answer: string) => void; readonly over: () => void } {
  let told = false;
  return {
    on: (answer) => {
      // One that lived in another process has its next port from the next one.
      if (kind === 'embedded') {
        throw new PrefetchError(
          'ServerUnavailable',
          `The embedded Temporal server does not answer (${answer}). Run hf-model again: it goes on where it was`
        );
      }
      if (!told)
        display.tell(`The Temporal server does not answer (${answer}). The run goes on when it is back: waiting`);
      told = true;
    },
    over: () => {
      told = false;
    },
  };
}

async function pollProgress(
  handle: PrefetchHandle,
  show: (progress: LiveProgress) => void,
  { over, pollMs }: { readonly over: AbortSignal; readonly pollMs: number }
): Promise<void> {
  while (!over.aborted) {
    const late = delay(LOOK_MS, undefined, { ref: false });
    const asked = Promise.race([askProgress(handle), late]);
    const progress = await unlessAborted(asked, { signal: over }).catch(() => undefined);
    if (progress !== undefined) show(progress);
    await delay(pollMs, undefined, { signal: over }).catch(() => undefined);
  }
}

async function showEnd(handle: PrefetchHandle, show: (progress: LiveProgress) => void): Promise<void> {
  const late = delay(LAST_LOOK_MS, undefined, { ref: false });
  const progress = await Promise.race([askProgress(handle), late]);
  if (progress !== undefined) show(progress);
}

/** A question that nobody answered is asked again; the result of the run is what counts. */
async function askProgress(handle: PrefetchHandle): Promise<LiveProgress | undefined> {
  return handle.progress().catch(() => undefined);
}
