import { readSettings } from '../../config/environment.js';
import { oneLine } from '../../core/control-characters.js';
import { formatBytes } from '../../core/progress-text.js';
import type { DescribedSelection } from '../../hub/describe-selection.js';
import { dryRun, type DryRun, type PlannedSharding } from '../../steps/dry-run.js';
import { createDependencies } from '../../worker/dependencies.js';
import { type CliContext, printJson, printResult } from '../context.js';
import type { PlanOptions } from '../invocation.js';
import { completeInput } from '../shard-config-file.js';
import { checkStoreVariable, readStoreFlag } from '../store-flag.js';

/** Prints what a prefetch would do; asks the Hub and the store, and writes nothing. */
export async function runPlan(options: PlanOptions, context: CliContext): Promise<void> {
  const input = await completeInput(options);
  if (input.rawDataPath !== undefined) readStoreFlag('--raw-data-path', input.rawDataPath);
  const settings = readSettings();
  const store = options.store === undefined ? {} : { store: readStoreFlag('--store', options.store) };
  if (options.store === undefined) checkStoreVariable(settings);
  const tool = { name: 'temporal-model-prefetch', version: context.version };
  const dependencies = createDependencies({ ...settings, ...store }, { embedded: true, tool });
  try {
    const plan = await dryRun(input, dependencies, { signal: context.signal });
    if (options.output === 'json') printJson(context, plan);
    else printResult(context, planText(plan));
  } finally {
    await dependencies.close();
  }
}

function planText(plan: DryRun): string {
  const rows: [string, string][] = [
    ['Repo', `${plan.repo} (${plan.revision})`],
    ['Commit', plan.commit],
    ['Dir', plan.dirPath],
    ['Published', publishedText(plan)],
    ...(plan.sharding === undefined ? [] : [shardsRow(plan.sharding)]),
    ...(plan.selection === undefined ? [] : selectionRows(plan.selection)),
    ['Files', `${String(plan.fileCount)}, ${formatBytes(plan.totalBytes)}`],
    ['To fetch', formatBytes(plan.fetchBytes)],
    ['To copy', `${formatBytes(plan.copyBytes)} inside the store`],
    ['Verified', `${formatBytes(plan.verifiedBytes)} in the Dir already`],
  ];
  // Paths and reasons are those of others.
  return rows.map(([name, value]) => `${name.padEnd(10)} ${oneLine(value)}`).join('\n');
}

function publishedText({ published, completes, unchecked, files }: DryRun): string {
  if (completes !== undefined) {
    const lacking = files.filter(({ state }) => state !== 'verified').map(({ path }) => path);
    return `yes, by an earlier rule: it lacks ${someOf(lacking)}, and stays a hit while they come`;
  }
  if (published === undefined) return 'no';
  return unchecked === undefined
    ? 'yes: nothing to do'
    : `yes. Whether it has all that the selection takes by now is not known: ${unchecked}`;
}

function selectionRows({ weights, reason, leftOut }: DescribedSelection): [string, string][] {
  return [
    ['Weights', `${weights ?? 'none'} (${reason})`],
    ...leftOut.map(({ reason: why, files, bytes, some }): [string, string] => [
      'Left out',
      `${why}: ${String(files)}, ${formatBytes(bytes)} (${some.join(', ')}${files > some.length ? ', …' : ''})`,
    ]),
  ];
}

function someOf(paths: readonly string[]): string {
  return `${paths.slice(0, 5).join(', ')}${paths.length > 5 ? ` and ${String(paths.length - 5)} more` : ''}`;
}

function shardsRow({ tensorParallelSize, engine, reason, published }: PlannedSharding): [string, string] {
  const state = published ? 'published' : 'not published';
  return ['Shards', `tensor parallel ${String(tensorParallelSize)}, engine ${engine} (${reason}), ${state}`];
}
