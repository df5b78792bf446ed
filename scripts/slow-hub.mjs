import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { root } from './steps.mjs';

/**
 * The Hub of `model-prefetch dev-hub` in this process. It sends the beginning of a large file, and holds the rest back until
 * it is let go: so that a run can be killed surely when it is half-way.
 * @param {string} folder - the models
 * @param {number} heldFrom - first byte of a file that is held back
 */
export async function startSlowHub(folder, heldFrom) {
  const { startDevHub } = await import(pathToFileURL(join(root, 'dist/dev-hub/index.js')).href);
  const gate = new AbortController();
  const hub = await startDevHub({
    repos: { folder },
    intercept: ({ origin, range }) => {
      const start = Number(/bytes=(\d+)/.exec(range ?? '')?.[1] ?? 0);
      const held = origin === 'cdn' && start >= heldFrom && !gate.signal.aborted;
      return held ? { body: (chunks, { signal }) => whenOpen(chunks, gate.signal, signal) } : undefined;
    },
  });
  return {
    url: hub.url,
    letGo: () => gate.abort(),
    /** Bytes of large files that went over the wire until now. */
    sentBytes: () =>
      hub.requests.filter(({ origin }) => origin === 'cdn').reduce((sum, { bytesSent }) => sum + bytesSent, 0),
    close: hub.close,
  };
}

async function* whenOpen(chunks, gate, gone) {
  const either = AbortSignal.any([gate, gone]);
  if (!either.aborted) await once(either, 'abort');
  if (!gone.aborted) yield* chunks;
}
