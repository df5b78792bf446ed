import { setMaxListeners } from 'node:events';
import { PrefetchError } from '../core/errors.js';
import { createKeyLock } from '../tasks/key-lock.js';
import { createPermits, permitsOf, type Claimant, type Permits } from '../tasks/permits.js';
import { defaultPolicies, type Policies } from './budget/policies.js';
import { createSlabPool, slabPoolOf } from './budget/slab-pool.js';
import { createDrain } from './drain.js';
import type { TransferContext, TransferOptions, TransferRequest, TransferResult } from './transfer-context.js';
import { transferFile } from './transfer-file.js';

export type { TransferOptions, TransferProgress, TransferRequest, TransferResult } from './transfer-context.js';

/** Small files wait for round trips, not for bandwidth, so more of them than lanes go at once. */
const WHOLE_FILES_AT_ONCE = 32;

/** What one worker process may use for transfers. */
export interface EngineSettings {
  /** Bytes of a part; smaller files are moved whole. */
  readonly partSizeBytes: number;
  /** Connections to read from sources, and as many to write to stores. */
  readonly lanes: number;
  /** Bytes of files that may be in memory at any time. */
  readonly memoryBytes: number;
  readonly policies?: Policies;
}

/** The one engine of a process: all its transfers share its lanes and its memory. */
export interface TransferEngine {
  transferFile(request: TransferRequest, options: TransferOptions): Promise<TransferResult>;
  /** Lets what is in flight land and begins nothing new, for good; resolves when all has landed. */
  drain(): Promise<void>;
  readonly partSizeBytes: number;
  readonly policies: Policies;
  readonly memory: { readonly inUseBytes: number; readonly peakBytes: number };
  /** The lanes and the memory, for whoever moves bytes of this process in another way. */
  readonly context: TransferContext;
}

/** Makes the engine of this process. */
export function createEngine(settings: EngineSettings): TransferEngine {
  const { partSizeBytes, lanes, memoryBytes, policies = defaultPolicies } = settings;
  check(settings);
  // A part's worth that one model leaves free, where it is a small share of all.
  const memory = createSlabPool(memoryBytes, { reserve: memoryBytes < 4 * partSizeBytes ? 0 : partSizeBytes });
  const drain = createDrain();
  const shared = {
    ...{ partSizeBytes, lanes, policies, memory },
    getLanes: drain.closable(lanesFor(lanes)),
    // What was read is written, also while nothing more is read.
    putLanes: drain.watched(lanesFor(lanes)),
    wholeFiles: drain.closable(lanesFor(Math.max(lanes, WHOLE_FILES_AT_ONCE))),
    keyLock: createKeyLock(),
    shardTurn: createPermits(1),
  };
  const transfer = (request: TransferRequest, options: TransferOptions): Promise<TransferResult> => {
    // Many files of a batch share one signal, so that many listeners are no leak.
    setMaxListeners(0, options.signal);
    const claimant = claimantOf(request);
    const context = { ...lanesOf(shared, claimant), memory: slabPoolOf(memory, claimant) };
    return transferFile(context, request, options);
  };
  // Shards take memory for all ranks at once, which is asked for in nobody's name: see `createPermits`.
  const context = lanesOf(shared, { model: 'shards', file: 'shards' });
  return {
    transferFile: transfer,
    drain: () => drain.begin(),
    partSizeBytes,
    policies,
    memory,
    context,
  };
}

/** One more than `lanes`, for a second model that comes while the first has them all. */
function lanesFor(lanes: number): Permits {
  return createPermits(lanes + 1, { reserve: 1 });
}

function claimantOf({ store, key, model }: TransferRequest): Claimant {
  return { model: model ?? `${store.root}${key.slice(0, key.lastIndexOf('/') + 1)}`, file: `${store.root}${key}` };
}

function lanesOf(context: TransferContext, claimant: Claimant): TransferContext {
  const { getLanes, putLanes, wholeFiles } = context;
  return {
    ...context,
    getLanes: permitsOf(getLanes, claimant),
    putLanes: permitsOf(putLanes, claimant),
    wholeFiles: permitsOf(wholeFiles, claimant),
  };
}

function check({ partSizeBytes, lanes, memoryBytes }: EngineSettings): void {
  for (const [name, value] of Object.entries({ partSizeBytes, lanes, memoryBytes })) {
    if (Number.isSafeInteger(value) && value > 0) continue;
    throw new PrefetchError('InvalidInput', `${name} is ${String(value)}, expected a whole number above zero`);
  }
  if (memoryBytes >= partSizeBytes) return;
  throw new PrefetchError(
    'InvalidInput',
    `The memory for transfers, ${memoryBytes} bytes (MODEL_PREFETCH_MEMORY), holds not one part of ${partSizeBytes} ` +
      'bytes (MODEL_PREFETCH_PART_SIZE)'
  );
}
