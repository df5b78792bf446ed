import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { PrefetchClient, type PrefetchHandle } from '../../client.js';
import type { Dir, PrefetchInput } from '../../core/contract.js';
import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import { prefetchWorkflowId } from '../../core/identity.js';
import { throughGate } from '../../embedded/gate.js';
import { homeHolders } from '../../embedded/home-lock.js';
import { claimRun, differences, findClaim, type RunClaim } from '../../embedded/run-claims.js';
import { awaitPrefetch } from '../../starter/await-prefetch.js';
import type { Cleanup } from './cleanup.js';
import type { Prefetches } from './session.js';

/** What the runs of a command on the server of its home are begun and followed with. */
export interface SharedRunsOptions {
  readonly home: string;
  readonly client: Client;
  /** Base of the queues that the worker of this command serves. */
  readonly taskQueue: string;
  /** Digests of what decides about the model of an input, under the names that a person would change. */
  readonly settingsFor: (input: PrefetchInput) => Promise<RunClaim['settings']>;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** A run as the server has it, and who works on it. */
interface FoundRun {
  readonly runId: string;
  readonly taskQueue: string;
  readonly isRunning: boolean;
  /** Undefined when nobody who lives does. */
  readonly worker: { readonly pid: number; readonly settings: RunClaim['settings'] } | undefined;
}

type Waits = Parameters<PrefetchHandle['result']>[0];

const LOOK_MS = 500;
const CALL_MS = 10_000;
/** Whoever waits for a run takes it over within two looks: for that long a run may be nobody's. */
const LOOKS_TO_TAKE_OVER = 2;
const LOOKS_TO_GIVE_UP = 8;

/**
 * The runs of the commands of one home. Each run is worked on by one command, the one that began it. The others who want
 * the same model wait for it, and when that command ends before, one of them begins the run anew with its own worker:
 * what has arrived is in the store.
 */
export function sharedRuns(options: SharedRunsOptions, cleanup: Cleanup): Prefetches {
  const { client, home, taskQueue } = options;
  const plain = new PrefetchClient({ client, taskQueue });
  return {
    start: async (input) => {
      const workflowId = prefetchWorkflowId(input);
      const begin = () => beginOrJoin(input, { ...options, plain }, cleanup);
      const first = await begin();
      return { ...plain.get(workflowId), result: (waits) => resultOf(workflowId, { options, begin, first }, waits) };
    },
    get: (workflowId) => ({
      ...plain.get(workflowId),
      result: (waits) => resultOfOther(workflowId, options, waits),
      progress: async () => {
        // Nobody would answer.
        if (!(await isWorkedOn(options, workflowId))) throw nobody(workflowId);
        return plain.get(workflowId).progress();
      },
      cancel: async () => {
        if (await isWorkedOn(options, workflowId)) return plain.get(workflowId).cancel();
        await client.workflow.getHandle(workflowId).terminate('Cancelled, and the process that worked on it had ended');
      },
    }),
    isWorkedOn: (workflowId) => isWorkedOn({ client, home }, workflowId),
  };
}

/** Whether a run that is not over has somebody who works on it; true for one that is over. */
async function isWorkedOn(home: Pick<SharedRunsOptions, 'home' | 'client'>, workflowId: string): Promise<boolean> {
  const run = await findRun(home, workflowId);
  return run === undefined || !run.isRunning || run.worker !== undefined;
}

/** One command at a time, so that no two begin a run, and none ends a run that another one has just begun. */
async function beginOrJoin(
  input: PrefetchInput,
  options: SharedRunsOptions & { readonly plain: PrefetchClient },
  cleanup: Cleanup
): Promise<FoundRun> {
  const { home, taskQueue, plain, signal, say } = options;
  const workflowId = prefetchWorkflowId(input);
  const settings = await options.settingsFor(input);
  const work = async (): Promise<FoundRun> => {
    const there = await findRun(options, workflowId);
    if (there?.isRunning === true && there.worker !== undefined) {
      refuseDifferent(input, { home, settings, worker: there.worker });
      if (there.worker.pid !== process.pid) {
        say(`The process ${String(there.worker.pid)} brings this model already: waits for it, and goes on if it ends`);
      }
      return there;
    }
    cleanup.add(await claimRun(home, { workflowId, taskQueue, settings }));
    // Whatever runs under this ID now is nobody's.
    await plain.start(input, { restartRunning: true });
    const begun = await findRun(options, workflowId);
    if (begun === undefined) throw new PrefetchError('Internal', `The run ${workflowId} was started and is not there`);
    return begun;
  };
  return throughGate(home, work, { signal });
}

interface Followed {
  readonly options: SharedRunsOptions;
  readonly begin: () => Promise<FoundRun>;
  readonly first: FoundRun;
}

/** The very run that was begun or joined is waited for: what a command with other settings begins under its ID is not. */
async function resultOf(workflowId: string, { options, begin, first }: Followed, waits: Waits): Promise<Dir> {
  const { client, taskQueue } = options;
  for (let run = first; ; run = await begin()) {
    const isOwn = run.taskQueue === taskQueue;
    const over = new AbortController();
    const abandoned = isOwn ? never : abandonment(workflowId, { options, run, looks: LOOKS_TO_TAKE_OVER }, over.signal);
    try {
      const dir = await Promise.race([awaitPrefetch(client, workflowId, { ...waits, runId: run.runId }), abandoned]);
      if (dir !== undefined) return dir;
      options.say('The process that worked on it has ended: goes on here');
    } catch (error) {
      if (!isPrefetchError(error, 'Cancelled') || !(await wasTakenOver(options, workflowId, run))) throw error;
    } finally {
      over.abort();
    }
  }
}

/** For who begins nothing: `NoWorkers` when the run is nobody's and stays so. */
async function resultOfOther(workflowId: string, options: SharedRunsOptions, waits: Waits): Promise<Dir> {
  const { client } = options;
  for (;;) {
    const run = await findRun(options, workflowId);
    if (run?.isRunning !== true) return awaitPrefetch(client, workflowId, waits);
    const over = new AbortController();
    const abandoned = abandonment(workflowId, { options, run, looks: LOOKS_TO_GIVE_UP }, over.signal);
    try {
      const dir = await Promise.race([awaitPrefetch(client, workflowId, { ...waits, runId: run.runId }), abandoned]);
      if (dir === undefined) throw nobody(workflowId);
      return dir;
    } catch (error) {
      if (!isPrefetchError(error, 'Cancelled') || !(await wasTakenOver(options, workflowId, run))) throw error;
    } finally {
      over.abort();
    }
  }
}

interface Watched {
  readonly options: SharedRunsOptions;
  readonly run: FoundRun;
  readonly looks: number;
}

const never = new Promise<undefined>(() => undefined);

/** Resolves once the run still runs and nobody has worked on it for so many looks. */
async function abandonment(
  workflowId: string,
  { options, run, looks }: Watched,
  over: AbortSignal
): Promise<undefined> {
  for (let misses = 0; misses < looks && !over.aborted;) {
    await delay(LOOK_MS, undefined, { signal: over }).catch(() => undefined);
    const worker = await workerOf(options.home, { workflowId, taskQueue: run.taskQueue });
    // A command that has ended has brought its model, more often than not: then the result is on its way.
    misses = worker !== undefined || !(await stillRuns(options, workflowId, run)) ? 0 : misses + 1;
  }
  return over.aborted ? never : undefined;
}

async function stillRuns(options: SharedRunsOptions, workflowId: string, run: FoundRun): Promise<boolean> {
  // Whether the server is there is told by who waits for the result.
  const now = await findRun(options, workflowId).catch(() => undefined);
  return now?.isRunning === true && now.taskQueue === run.taskQueue;
}

/** A run that another command begins anew is terminated. */
async function wasTakenOver(options: SharedRunsOptions, workflowId: string, run: FoundRun): Promise<boolean> {
  const now = await findRun(options, workflowId);
  return now !== undefined && now.taskQueue !== run.taskQueue;
}

async function findRun(
  { client, home }: Pick<SharedRunsOptions, 'home' | 'client'>,
  workflowId: string
): Promise<FoundRun | undefined> {
  const handle = client.workflow.getHandle(workflowId);
  const described = await client
    .withDeadline(Date.now() + CALL_MS, () => handle.describe())
    .catch((error: unknown) => {
      if (error instanceof Error && error.name === 'WorkflowNotFoundError') return undefined;
      throw error;
    });
  if (described === undefined) return undefined;
  const { runId, taskQueue, status } = described;
  const worker = await workerOf(home, { workflowId, taskQueue });
  return { runId, taskQueue, isRunning: status.name === 'RUNNING', worker };
}

/** A command of an earlier release claims no runs: it has the home for itself, and works on all that is open. */
async function workerOf(home: string, run: Pick<RunClaim, 'workflowId' | 'taskQueue'>): Promise<FoundRun['worker']> {
  const claim = await findClaim(home, run);
  if (claim !== undefined) return claim;
  const alone = (await homeHolders(home)).find(({ session }) => session === undefined);
  return alone === undefined ? undefined : { pid: alone.pid, settings: {} };
}

interface Compared {
  readonly home: string;
  readonly settings: RunClaim['settings'];
  readonly worker: NonNullable<FoundRun['worker']>;
}

function refuseDifferent({ repo }: PrefetchInput, { home, settings, worker }: Compared): void {
  const names = differences(settings, worker.settings);
  if (names.length === 0) return;
  throw new PrefetchError(
    'HomeBusy',
    `The process ${String(worker.pid)} brings ${repo} in ${home} already, with other settings: ${names.join(', ')}. ` +
      'Wait for it to end, or set MODEL_PREFETCH_HOME to another folder and MODEL_PREFETCH_STORE to the store of this ' +
      'command, which keeps what is there',
    { details: { pid: worker.pid, home, differences: names } }
  );
}

function nobody(workflowId: string): PrefetchError {
  return new PrefetchError(
    'NoWorkers',
    `The command that worked on ${workflowId} has ended, and nobody works on it now. Run hf-model again`
  );
}
