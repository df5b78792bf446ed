import type { Intercept } from '../../src/dev-hub/index.js';

/** A CDN that answers once the gate is opened: a transfer stands still where the test wants it. */
export function closedGate(): { readonly intercept: Intercept; readonly reached: Promise<void>; open: () => void } {
  let reach = () => {};
  let open = () => {};
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const opened = new Promise<void>((resolve) => (open = resolve));
  return {
    reached,
    open: () => {
      open();
    },
    intercept: async ({ origin }) => {
      if (origin === 'hub') return undefined;
      reach();
      await opened;
      return undefined;
    },
  };
}
