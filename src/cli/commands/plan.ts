import { readSettings } from '../../config/environment.js';
import { formatBytes } from '../../core/progress-text.js';
import { dryRun, type DryRun, type PlannedSharding } from '../../steps/dry-run.js';
import { createDependencies } from '../../worker/dependencies.js';
import { type CliContext, printJson, printResult } from '../context.js';
import type { PlanOptions } from '../invocation.js';
import { completeInput } from '../shard-config-file.js';
import { readStoreFlag } from '../store-flag.js';

/** Prints what a prefetch would do; asks the Hub and the store, and writes nothing. */
export async function runPlan(options: PlanOptions, context: CliContext): Promise<void> {
  const input = await completeInput(options);
  if (input.rawDataPath !== undefined) readStoreFlag('--raw-data-path', input.rawDataPath);
  const settings = readSettings();
  const store = options.store === undefined ? {} : { store: readStoreFlag('--store', options.store) };
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
    ['Published', plan.published === undefined ? 'no' : 'yes: nothing to do'],
    ...(plan.sharding === undefined ? [] : [shardsRow(plan.sharding)]),
    ['Files', `${String(plan.fileCount)}, ${formatBytes(plan.totalBytes)}`],
    ['To fetch', formatBytes(plan.fetchBytes)],
    ['To copy', `${formatBytes(plan.copyBytes)} inside the store`],
    ['Verified', `${formatBytes(plan.verifiedBytes)} in the Dir already`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(10)} ${value}`).join('\n');
}

function shardsRow({ tensorParallelSize, engine, reason, published }: PlannedSharding): [string, string] {
  const state = published ? 'published' : 'not published';
  return ['Shards', `tensor parallel ${String(tensorParallelSize)}, engine ${engine} (${reason}), ${state}`];
}
