import type { LocatedSource } from '../core/byte-source.js';
import type { BatchProgress, BatchRequest, BatchResult, BatchSpec } from '../core/contract.js';
import { PrefetchError } from '../core/errors.js';
import type { Plan, PlannedFile } from '../core/schemas/plan.js';
import { MiB } from '../core/units.js';
import { BatchLedger } from '../dir/batch-ledger.js';
import { keepPlans } from '../dir/kept-plans.js';
import { openDir } from '../dir/open-dir.js';
import { readPlan } from '../dir/plan-objects.js';
import { openSource } from '../hub/hub-source.js';
import type { ObjectStore } from '../storage/object-store.js';
import { forEachAtOnce } from '../tasks/for-each-at-once.js';
import { readPolicy } from '../transfer/budget/policies.js';
import { copyWithin } from '../transfer/copy-within.js';
import type { TransferProgress, TransferRequest, TransferResult } from '../transfer/engine.js';
import type { ActivityDependencies } from './dependencies.js';
import type { HouseOptions } from './keep-house.js';
import { removeLateUploads } from './tidy-dir.js';

/** Small files wait for round trips more than for bytes; the engine's own budget bounds the memory. */
const FILES_AT_ONCE = 16;
/** Below this a file that is there costs less to fetch again than to ask for. */
const WORTH_ASKING_BYTES = 8 * MiB;

/** How a batch is ended and watched. */
export interface BatchOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BatchProgress) => void;
}

/** Moves one file; the caller chooses the way, by streaming or by local disk. */
export type MoveFile = (
  request: TransferRequest & { readonly source: LocatedSource },
  options: { readonly signal: AbortSignal; readonly onProgress: (progress: TransferProgress) => void }
) => Promise<TransferResult>;

/** Brings every file of a batch into the store and leaves a record of what was verified, also when it fails half way. */
export async function transferBatch(
  dependencies: Pick<ActivityDependencies, 'hub' | 'openStore' | 'readToken' | 'engine' | 'warn'> & {
    readonly moveFile: MoveFile;
  },
  { spec, planId, batch }: BatchRequest,
  options: BatchOptions
): Promise<BatchResult> {
  const store = await dependencies.openStore(spec.destination);
  const token = await dependencies.readToken(spec.hfTokenKey);
  const { plan, positions } = await loadBatch(store, { spec, planId, batch }, { ...options, warn: dependencies.warn });
  const ledger = await BatchLedger.open(store, { dirKey: spec.dirKey, planId, batch }, options);
  const progress = trackProgress(batch, options.onProgress);

  const { hub, engine } = dependencies;
  const policy = readPolicy(engine.policies);
  const moveOne = async (position: number, { signal }: Pick<BatchOptions, 'signal'>): Promise<TransferResult> => {
    const file = fileAt(plan, position);
    const key = `${spec.dirKey}${file.path}`;
    const source = openSource(hub, { ...file, repo: spec.repo, commit: spec.commit }, { token, policy });
    const onProgress = (moved: TransferProgress): void => {
      progress.moving(file, moved);
    };
    const from = file.copyFrom;
    const copy = from === undefined ? undefined : { store, from: from.key, etag: from.etag, to: key, source };
    const copied = copy === undefined ? undefined : await copyWithin(engine.context, copy, { signal, onProgress });
    if (copied !== undefined) return copied;
    const model = `${store.root}${spec.dirKey}`;
    return dependencies.moveFile({ source, store, key, model, trust: trustOf(spec, file) }, { signal, onProgress });
  };

  let fetchedBytes = 0;
  try {
    await forEachAtOnce(positions, { limit: FILES_AT_ONCE, signal: options.signal }, async (position, inner) => {
      const file = fileAt(plan, position);
      if (ledger.has(position)) {
        progress.done(file, { fetchedBytes: 0 });
        return;
      }
      const result = await moveOne(position, inner);
      fetchedBytes += result.fetchedBytes;
      await ledger.note(position, result.etag, inner);
      progress.done(file, result);
    });
  } finally {
    // A cancelled batch keeps its record too, so the write has no signal; it is bounded by the store's own time-outs.
    await ledger.flush();
  }
  const bytes = positions.reduce((total, position) => total + fileAt(plan, position).size, 0);
  return { files: positions.length, bytes, fetchedBytes };
}

/** A forced run trusts nothing that it did not bring itself; others read back what is there rather than fetch it. */
function trustOf(spec: BatchSpec, file: PlannedFile): TransferRequest['trust'] {
  if (spec.force !== undefined) return 'replace';
  return file.present === true || file.size >= WORTH_ASKING_BYTES ? 'verify-existing' : 'replace';
}

const plans = keepPlans<Plan>();

async function loadBatch(
  store: ObjectStore,
  { spec, planId, batch }: BatchRequest,
  options: HouseOptions
): Promise<{ plan: Plan; positions: readonly number[] }> {
  const key = `${store.root}${spec.dirKey}${planId}`;
  const plan = await plans.get(key, () => readPlan(store, spec.dirKey, planId, {}), options);
  const positions = plan?.batches[batch];
  if (plan === undefined || positions === undefined) {
    await removeLateUploads(openDir(store, spec.dirKey), options);
    throw new PrefetchError(
      'ObjectChanged',
      `The plan ${planId} of ${store.root}${spec.dirKey} is gone: another run published or deleted this Dir. Run it again`
    );
  }
  return { plan, positions };
}

function fileAt(plan: Plan, position: number): PlannedFile {
  const file = plan.files[position];
  if (file === undefined) throw new PrefetchError('Internal', `Plan ${plan.planId} has no file ${String(position)}`);
  return file;
}

function trackProgress(batch: number, report: (progress: BatchProgress) => void) {
  const moving = new Map<string, TransferProgress>();
  const finished = { filesDone: 0, bytesDone: 0, foundBytes: 0 };
  const tell = () => {
    const current = [...moving.keys()][0];
    const inFlight = [...moving.values()];
    report({
      batch,
      filesDone: finished.filesDone,
      bytesDone: inFlight.reduce((total, { bytesDone }) => total + bytesDone, finished.bytesDone),
      foundBytes: inFlight.reduce((total, { foundBytes = 0 }) => total + foundBytes, finished.foundBytes),
      ...(current === undefined ? {} : { current }),
    });
  };
  return {
    moving: (file: PlannedFile, moved: TransferProgress) => {
      moving.set(file.path, moved);
      tell();
    },
    done: (file: PlannedFile, { fetchedBytes }: Pick<TransferResult, 'fetchedBytes'>) => {
      moving.delete(file.path);
      finished.filesDone += 1;
      finished.bytesDone += file.size;
      // What came twice, after a wrong digest, is more than the file.
      finished.foundBytes += Math.max(0, file.size - fetchedBytes);
      tell();
    },
  };
}
