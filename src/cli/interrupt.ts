import { Interrupted } from './context.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The first Ctrl-C asks for an orderly end, the second one ends the process at once. */
export function listenForInterrupt(): { readonly signal: AbortSignal; dispose(): void } {
  const controller = new AbortController();
  const onSignal = () => {
    // `exit` handlers take the embedded server along.
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Interrupted());
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    dispose: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
