import type { ShardActivities, ShardProgress, ShardStepResult } from '../core/contract.js';
import { openDir } from '../dir/open-dir.js';
import type { ActivityDependencies } from '../steps/dependencies.js';
import { checkShards } from '../steps/shards/check-shards.js';
import { copyModelFiles } from '../steps/shards/copy-model-files.js';
import { findShards } from '../steps/shards/find-shards.js';
import { planShards } from '../steps/shards/plan-shards.js';
import { publishShards } from '../steps/shards/publish-shards.js';
import { shardNatively } from '../steps/shards/shard-natively.js';
import { shardWithVllm } from '../steps/shards/shard-with-vllm.js';
import { jobOfRun } from '../steps/shards/sharding-job.js';
import type { StepOptions } from '../steps/shards/step-context.js';
import { adapt } from './adapt.js';
import { withHeartbeat } from './heartbeat.js';
import { found, plannedShards, published, sharded } from './tellings.js';
import { told, type Telling } from './told.js';
import { withVllmTries } from './vllm-tries.js';
import { withWarnings } from './with-warnings.js';

type LightShardActivities = Pick<ShardActivities, 'findShards' | 'planShards' | 'publishShards'>;
type NativeShardActivities = Pick<ShardActivities, 'shardNatively' | 'copyModelFiles' | 'checkShards'>;

/** Steps of sharding that move no weights. */
export function createLightShardActivities(given: ActivityDependencies): LightShardActivities {
  const dependencies = withWarnings(given);
  return {
    findShards: (spec) =>
      adapt((signal) => told(found, () => withHeartbeat(() => findShards(dependencies, spec, { signal })))),
    planShards: (spec) =>
      adapt((signal) =>
        told(plannedShards(spec), () =>
          withHeartbeat(async () => {
            const store = await dependencies.openStore(spec.destination);
            const source = await openDir(store, spec.dirKey).manifest({ signal });
            return planShards(dependencies, jobOfRun(spec, source?.manifest, store), { signal });
          })
        )
      ),
    publishShards: (step, { revision }) =>
      adapt((signal) =>
        told(published, () =>
          withHeartbeat(() => publishShards(dependencies, step, { revision, signal, now: new Date() }))
        )
      ),
  };
}

/** Steps that move weights without a GPU. */
export function createNativeShardActivities(dependencies: ActivityDependencies): NativeShardActivities {
  return {
    shardNatively: (step) => inStep(sharded('Sharded', step), (options) => shardNatively(dependencies, step, options)),
    copyModelFiles: (step) => inStep(sharded('Copied', step), (options) => copyModelFiles(dependencies, step, options)),
    checkShards: (step) => inStep(sharded('Checked', step), (options) => checkShards(dependencies, step, options)),
  };
}

/** The step that runs on a host with vLLM. */
export function createVllmActivities(dependencies: ActivityDependencies): Pick<ShardActivities, 'shardWithVllm'> {
  return {
    shardWithVllm: (step) =>
      adapt((signal) =>
        told(sharded('Sharded', step), () =>
          withVllmTries(signal, (options) => shardWithVllm(dependencies, step, options))
        )
      ),
  };
}

function inStep(
  telling: Telling<ShardStepResult>,
  work: (options: StepOptions) => Promise<ShardStepResult>
): Promise<ShardStepResult> {
  return adapt((signal) =>
    told(telling, () =>
      withHeartbeat((report) =>
        work({
          signal,
          onProgress: (progress: ShardProgress) => {
            report(progress);
          },
        })
      )
    )
  );
}
