import { log } from '@temporalio/activity';
import type { ActivityDependencies } from '../steps/dependencies.js';

/** The same, and what went wrong without harm is told in the log of the worker. */
export function withWarnings(dependencies: ActivityDependencies): ActivityDependencies {
  return {
    ...dependencies,
    warn: (text) => {
      log.warn(text);
    },
  };
}
