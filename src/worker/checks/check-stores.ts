import { isPrefetchError, PrefetchError, rewrap } from '../../core/errors.js';
import type { Role } from '../../core/queues.js';
import { checkStore } from '../../storage/check-store.js';
import { resolveDestination } from '../../steps/destination.js';
import type { Check, CheckContext } from './check-worker.js';
import { checkFolder } from './check-scratch.js';
import { tryAgain } from './try-again.js';

const ROLES: readonly Role[] = ['main', 'transfer', 'shard', 'gpu'];

/**
 * The store has to be there: runs that name no other go to it. A further root is one run's destination, so that a bad one is
 * a warning, unless there is nothing else that anybody could write to.
 */
export const checkStores: Check = async (context) => {
  const { settings, roles, warn } = context;
  if (!roles.some((role) => ROLES.includes(role))) return [];
  const { store, allowedRoots } = settings;
  if (store === undefined && allowedRoots.length === 0) throw withoutStore();
  const good = store === undefined ? [] : [`store ${await checkRoot(store, 'MODEL_PREFETCH_STORE', context)}`];
  const failures: unknown[] = [];
  for (const root of allowedRoots) {
    try {
      good.push(`store ${await checkRoot(root, 'MODEL_PREFETCH_ALLOWED_ROOTS', context)}`);
    } catch (error) {
      if (!isPrefetchError(error)) throw error;
      failures.push(error);
      if (good.length > 0 || failures.length < allowedRoots.length) warn(error.message);
    }
  }
  if (good.length === 0) throw failures[0];
  return good;
};

function withoutStore(): PrefetchError {
  const text =
    'This worker has no store: set MODEL_PREFETCH_STORE to s3://bucket/prefix, or to a folder that is shared';
  return new PrefetchError('DestinationNotAllowed', text, { details: { variable: 'MODEL_PREFETCH_STORE' } });
}

async function checkRoot(root: string, variable: string, context: CheckContext): Promise<string> {
  const { settings, roles, signal } = context;
  try {
    resolveDestination(undefined, {
      store: root,
      allowedRoots: [],
      anywhere: false,
      files: settings.fileStoreIsShared,
    });
    const passes = (error: unknown) => isPrefetchError(error) && !error.permanent;
    const { multipart } = await tryAgain(context, passes, () => checkStore(root, { s3: settings.s3 ?? {}, signal }));
    if (!multipart && roles.some((role) => role === 'transfer' || role === 'shard')) await checkFolder(settings);
    return root;
  } catch (error) {
    throw isPrefetchError(error) ? rewrap(error, { text: `${variable} ${root}: ${error.text}` }) : error;
  }
}
