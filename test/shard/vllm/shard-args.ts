import type { VllmShardRequest } from '../../../src/shard/vllm/job.js';

type Args = VllmShardRequest['args'];

/** Arguments with every default filled in, for two ranks. */
export function shardArgs(change: Partial<Args> = {}): Args {
  return {
    tensorParallelSize: 2,
    dtype: 'auto',
    trustRemoteCode: false,
    filePattern: 'model-rank-{rank}-part-{part}.safetensors',
    maxFileSize: 5 * 2 ** 30,
    vllmVersion: '0.32.0',
    ...change,
  };
}
