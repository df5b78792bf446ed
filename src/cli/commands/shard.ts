import { readSettings } from '../../config/environment.js';
import { compact } from '../../core/compact.js';
import { PrefetchError } from '../../core/errors.js';
import { withTrailingSlash } from '../../core/identity.js';
import { draftPlan, type DraftedPlan } from '../../steps/shards/draft-plan.js';
import { jobOfFolders } from '../../steps/shards/local-job.js';
import { shardUntilPublished } from '../../steps/shards/shard-in-process.js';
import type { ShardingJob } from '../../steps/shards/sharding-job.js';
import { createDependencies, type WorkerDependencies } from '../../worker/dependencies.js';
import { type CliContext, printJson, printResult, say } from '../context.js';
import { printDir } from '../dir-text.js';
import { readDirUrl, splitDirUrl } from '../dir-url.js';
import type { ShardOptions } from '../invocation.js';
import { progressDisplay } from '../progress/displays.js';
import { shardProgress } from '../progress/shard-progress.js';
import { describeShards, shardsAsJson } from '../shards-text.js';

/** Shards a Dir or a folder in this process, and prints the sharded Dir. */
export async function runShard(options: ShardOptions & { readonly to: string }, context: CliContext): Promise<void> {
  const target = splitDirUrl('--to', options.to);
  refuseInside(options);
  await withJob(options, target, context, async (dependencies, job) => {
    const display = progressDisplay(context.stderr);
    const show = shardProgress(display);
    try {
      const { dir, hit } = await shardUntilPublished(dependencies, job, { signal: context.signal, onMoment: show });
      display.end();
      if (hit) say(context, 'Published before: nothing to shard');
      printDir(dir, options.output, context);
    } catch (error) {
      display.end();
      if (context.signal.aborted)
        say(context, 'Stopping. What is written is kept: the same command goes on from there');
      context.signal.throwIfAborted();
      throw error;
    }
  });
}

/** Shards inside the checkpoint would be part of it the next time. */
function refuseInside({ dir, to }: ShardOptions & { readonly to: string }): void {
  const [source, target] = [readDirUrl('DIR', dir), readDirUrl('--to', to)];
  if (!target.startsWith(source)) return;
  throw new PrefetchError(
    'InvalidInput',
    `--to: ${target} is DIR or lies in it, where the shards would be taken for files of the checkpoint: name a folder beside it`
  );
}

/** Prints the layout that `shard` would write; only headers are read, and nothing is written. */
export async function runShardPlan(options: ShardOptions, context: CliContext): Promise<void> {
  const anywhere = { root: readDirUrl('DIR', options.dir), folder: 'shards' };
  await withJob(options, anywhere, context, async ({ engine }, job) => {
    const draft: DraftedPlan = await draftPlan({ engine }, job, { signal: context.signal });
    if (options.output === 'json') printJson(context, shardsAsJson(draft));
    else printResult(context, describeShards(draft));
  });
}

async function withJob(
  { dir, shardConfig, force }: ShardOptions,
  target: { readonly root: string; readonly folder: string },
  context: CliContext,
  work: (dependencies: WorkerDependencies, job: ShardingJob) => Promise<void>
): Promise<void> {
  const tool = { name: 'temporal-model-prefetch', version: context.version };
  const dependencies = createDependencies(readSettings(), { embedded: true, tool });
  try {
    const source = await dependencies.openStore(withTrailingSlash(readDirUrl('DIR', dir)));
    const store = await dependencies.openStore(target.root);
    const folders = { source, target: { store, folder: target.folder }, request: shardConfig, ...compact({ force }) };
    await work(dependencies, await jobOfFolders(folders, { signal: context.signal }));
  } finally {
    await dependencies.close();
  }
}
