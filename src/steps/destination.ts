import { PrefetchError } from '../core/errors.js';
import { withTrailingSlash } from '../core/identity.js';

/** Where a worker may write. */
export interface DestinationPolicy {
  /** The worker's store: where an input without `rawDataPath` goes. */
  readonly store: string | undefined;
  readonly allowedRoots: readonly string[];
  /** The embedded mode's user is the operator and may write anywhere. */
  readonly anywhere: boolean;
  /** A `file://` store is for one machine; a worker on a cluster takes one only when the folder is shared. */
  readonly files: boolean;
}

/** The root that a prefetch writes under, ending in "/"; `DestinationNotAllowed` when the worker does not write there. */
export function resolveDestination(rawDataPath: string | undefined, policy: DestinationPolicy): string {
  const root = rawDataPath === undefined ? policy.store : withTrailingSlash(rawDataPath);
  if (root === undefined) {
    throw notAllowed('This worker has no store: set MODEL_PREFETCH_STORE on it, or give a rawDataPath that it allows');
  }
  if (rawDataPath !== undefined && !policy.anywhere) checkAllowed(root, policy);
  if (root.startsWith('file:') && !policy.files) {
    throw notAllowed(
      'A file:// destination lies on one machine, and this worker is one of several: ' +
        'set MODEL_PREFETCH_SHARED_FILES=true on the workers if all of them share the folder, or use an object store'
    );
  }
  return root;
}

function checkAllowed(root: string, policy: DestinationPolicy): void {
  const allowed = [policy.store, ...policy.allowedRoots].filter((each) => each !== undefined);
  // An escaped or plain ".." would leave the allowed root after the comparison.
  const climbs = root.split('/').some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment));
  if (!climbs && allowed.some((each) => root.startsWith(withTrailingSlash(each)))) return;
  throw notAllowed(
    `rawDataPath ${root} is not under a root that this worker writes to (${allowed.join(', ') || 'none'}). ` +
      'Extend MODEL_PREFETCH_ALLOWED_ROOTS on the worker, or use one of these'
  );
}

function notAllowed(text: string): PrefetchError {
  return new PrefetchError('DestinationNotAllowed', text);
}
