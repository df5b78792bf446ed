import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { foreignRun, isForeign } from '../../embedded/seal.js';
import { toFailure } from '../../starter/to-failure.js';

/** Keeps the activities of an embedded worker from a run that no command of its home started. */
export const refuseForeign: ActivityInterceptorsFactory = () => ({
  inbound: {
    execute: async (input, next) => {
      // Every activity here has an argument: one without any has lost what would have been checked.
      if (input.args.length === 0 || input.args.some(isForeign)) throw toFailure(foreignRun());
      return next(input);
    },
  },
});
