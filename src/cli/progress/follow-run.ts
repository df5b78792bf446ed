import { setTimeout as delay } from 'node:timers/promises';
import type { LiveProgress, PrefetchHandle } from '../../client.js';
import type { Dir } from '../../core/contract.js';
import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import { unlessAborted } from '../../tasks/unless-aborted.js';
import type { CliContext } from '../context.js';
import type { Session } from '../session/session.js';
import { progressDisplay, type ProgressDisplay } from './displays.js';
import { RunMeter } from './moment.js';

const POLL_MS = 500;
const LAST_LOOK_MS = 2_000;
/** How a run is followed. */
export interface FollowOptions extends Pick<CliContext, 'stderr' | 'signal'> {
  readonly pollMs?: number;
  readonly display?: ProgressDisplay;
}

/** A way that is cut without a word must not hide the progress when it is back. */
const LOOK_MS = 10_000;

/** Waits for the Dir of a run and shows how far it is, on a display of its own or on one of several. */
export async function followRun(
  handle: PrefetchHandle,
  session: Pick<Session, 'broken' | 'kind'>,
  { stderr, signal, pollMs = POLL_MS, display = progressDisplay(stderr) }: FollowOptions
): Promise<Dir> {
  const meter = new RunMeter(performance.now());
  const outage = tellOutage(session, display);
  const show = (progress: LiveProgress) => {
    outage.over();
    silence.over();
    const nowMs = performance.now();
    display.update(meter.add(progress, nowMs), nowMs);
  };
  const silence = tellSilence(display);
  const over = new AbortController();
  const showing = pollProgress(handle, { show, onSilence: silence.on }, { over: over.signal, pollMs });
  try {
    const dir = await Promise.race([handle.result({ signal, onOutage: outage.on }), session.broken]);
    // A quick run ends between two polls: people still want to see how it went.
    await showEnd(handle, { show, onSilence: () => undefined });
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

/** Says once that nobody works on the run, and again only after somebody did. */
function tellSilence(display: ProgressDisplay): { readonly on: (error: unknown) => void; readonly over: () => void } {
  let told = false;
  return {
    on: (error) => {
      if (!told && isPrefetchError(error, 'NoWorkers')) {
        display.tell(error.text);
        told = true;
      }
    },
    over: () => {
      told = false;
    },
  };
}

/** Who hears how far a run is, and why nobody says so. */
interface Listener {
  readonly show: (progress: LiveProgress) => void;
  readonly onSilence: (error: unknown) => void;
}

async function pollProgress(
  handle: PrefetchHandle,
  { show, onSilence }: Listener,
  { over, pollMs }: { readonly over: AbortSignal; readonly pollMs: number }
): Promise<void> {
  while (!over.aborted) {
    const late = delay(LOOK_MS, undefined, { ref: false });
    const asked = Promise.race([askProgress(handle, onSilence), late]);
    const progress = await unlessAborted(asked, { signal: over }).catch(() => undefined);
    if (progress !== undefined) show(progress);
    await delay(pollMs, undefined, { signal: over }).catch(() => undefined);
  }
}

async function showEnd(handle: PrefetchHandle, { show, onSilence }: Listener): Promise<void> {
  const late = delay(LAST_LOOK_MS, undefined, { ref: false });
  const progress = await Promise.race([askProgress(handle, onSilence), late]);
  if (progress !== undefined) show(progress);
}

/** A question that nobody answered is asked again; the result of the run is what counts. */
async function askProgress(
  handle: PrefetchHandle,
  onSilence: Listener['onSilence']
): Promise<LiveProgress | undefined> {
  return handle.progress().catch((error: unknown) => {
    onSilence(error);
    return undefined;
  });
}
