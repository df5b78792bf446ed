import { GaveUp, Interrupted } from './context.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** What asks a command to end before it is done. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** Asks for an orderly end after so long, told as what it is. */
  after(ms: number, why: string): void;
  dispose(): void;
}

/** The first Ctrl-C asks for an orderly end, the second one ends the process at once. */
export function listenForInterrupt(): Interrupt {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onSignal = () => {
    // `exit` handlers take the embedded server along.
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Interrupted());
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    after: (ms, why) => {
      timer = setTimeout(() => {
        controller.abort(new GaveUp(why));
      }, ms);
    },
    dispose: () => {
      clearTimeout(timer);
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
