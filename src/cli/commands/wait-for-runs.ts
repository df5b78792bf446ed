import type { PrefetchHandle } from '../../client.js';
import type { Dir, PrefetchInput } from '../../core/contract.js';
import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import { type CliContext, complain, Interrupted, printJson, printResult } from '../context.js';
import { printDir, tellPublished } from '../dir-text.js';
import { describeFailure } from '../failure-text.js';
import type { CommonOptions } from '../invocation.js';
import { progressBoard, type ProgressBoard } from '../progress/displays.js';
import { followRun } from '../progress/follow-run.js';
import type { Session } from '../session/session.js';
import type { NamedInput } from './hf-model.js';

/** A run that was started, by the name that tells it from the others. */
export interface NamedRun {
  readonly name: string;
  readonly handle: PrefetchHandle;
}

/** What waiting needs besides the runs. */
export interface WaitOptions {
  readonly session: Pick<Session, 'broken' | 'kind'>;
  readonly options: CommonOptions;
  /** Hears of the runs that are not done when somebody stops the wait. */
  readonly onLeave: (left: readonly PrefetchHandle[]) => void;
  /** Those that were to be brought too, and could not be started. */
  readonly notStarted: readonly NotStarted[];
}

type Outcome = NamedRun & ({ readonly dir: Dir } | { readonly error: unknown });

/** One of several that could not be started. */
export interface NotStarted {
  readonly name: string;
  readonly error: unknown;
}

/** Starts the runs of several models; where one cannot be started the others go on, and of one alone the failure is thrown. */
export async function startRuns(
  models: readonly NamedInput[],
  start: (input: PrefetchInput) => Promise<PrefetchHandle>,
  options: CommonOptions,
  context: CliContext
): Promise<{ readonly runs: readonly NamedRun[]; readonly notStarted: readonly NotStarted[] }> {
  const settled = await Promise.allSettled(models.map(({ input }) => start(input)));
  const runs: NamedRun[] = [];
  const notStarted: NotStarted[] = [];
  for (const [number, each] of settled.entries()) {
    const name = models[number]?.name ?? '';
    if (each.status === 'fulfilled') runs.push({ name, handle: each.value });
    else notStarted.push({ name, error: each.reason });
  }
  const interrupted = notStarted.find(({ error }) => error instanceof Interrupted);
  const fatal = interrupted ?? (runs.length === 0 ? notStarted[0] : undefined);
  if (fatal !== undefined) throw fatal.error;
  for (const { name, error } of notStarted) complain(context, `${name}: ${describeFailure(error, options)}`);
  return { runs, notStarted };
}

/** Fails for those that could not be started, once all that is known of the others was printed. */
export function failForNotStarted(notStarted: readonly NotStarted[], count: number): void {
  if (notStarted.length > 0) throw failureOf(notStarted, count);
}

/** Waits for runs side by side and prints their Dirs in the order given; one that fails leaves the others alone. */
export async function waitForRuns(runs: readonly NamedRun[], wait: WaitOptions, context: CliContext): Promise<void> {
  const [only] = runs;
  if (only !== undefined && runs.length + wait.notStarted.length === 1) {
    await waitForOne(only, wait, context);
    return;
  }
  const board = progressBoard(context.stderr);
  const outcomes = await Promise.all(runs.map((run) => outcomeOf(run, board, wait, context)));
  board.end();
  const failed = outcomes.filter((outcome) => 'error' in outcome);
  const stopped = failed.filter(({ error }) => error instanceof Interrupted);
  if (stopped.length > 0) wait.onLeave(stopped.map(({ handle }) => handle));
  printDirs(
    outcomes.flatMap((outcome) => ('dir' in outcome ? [outcome.dir] : [])),
    wait.options,
    context
  );
  if (stopped[0] !== undefined) throw stopped[0].error;
  const all = [...wait.notStarted, ...failed];
  if (all.length > 0) throw failureOf(all, runs.length + wait.notStarted.length);
}

async function waitForOne({ handle }: NamedRun, { session, options, onLeave }: WaitOptions, context: CliContext) {
  try {
    printDir(await followRun(handle, session, context), options.output, context);
  } catch (error) {
    if (error instanceof Interrupted) onLeave([handle]);
    throw error;
  }
}

async function outcomeOf(
  run: NamedRun,
  board: ProgressBoard,
  { session, options }: WaitOptions,
  context: CliContext
): Promise<Outcome> {
  const display = board.display(run.name);
  try {
    return { ...run, dir: await followRun(run.handle, session, { ...context, display }) };
  } catch (error) {
    if (!(error instanceof Interrupted)) {
      const text = describeFailure(error, options);
      display.end('failed');
      display.tell(text);
      // With --quiet the board is seen by nobody, and each failure still counts.
      if (context.failures !== context.stderr) complain(context, `${run.name}: ${text}`);
    }
    return { ...run, error };
  }
}

/** One path a line, or one JSON array; nothing where nothing was published. */
function printDirs(dirs: readonly Dir[], { output }: CommonOptions, context: CliContext): void {
  for (const dir of dirs) tellPublished(dir, context);
  if (dirs.length === 0) return;
  if (output === 'json') printJson(context, dirs);
  else printResult(context, dirs.map(({ path }) => path).join('\n'));
}

/** What each failed with was told when it did. */
function failureOf(failed: readonly NotStarted[], count: number): PrefetchError {
  const { error } = failed[0] ?? {};
  const [code, details] = isPrefetchError(error) ? [error.code, error.details] : (['Internal', {}] as const);
  const names = failed.map(({ name }) => name).join(', ');
  const text = `${String(failed.length)} of ${String(count)} were not brought, for the reasons above: ${names}`;
  return new PrefetchError(code, text, { details });
}
