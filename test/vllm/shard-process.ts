// A process of its own that shards and says how far it is, to be killed in the middle: see SHARD_PROCESS.
import { runVllmJob } from '../../src/shard/vllm/run-job.js';
import type { VllmShardRequest } from '../../src/shard/vllm/job.js';
import { dependenciesFor } from './setup.js';
import { openStore } from '../../src/storage/index.js';

const [root = '', scratchFolder = '', request = ''] = process.argv.slice(2);
const store = await openStore(root);
await runVllmJob(JSON.parse(request) as VllmShardRequest, dependenciesFor(store, scratchFolder), {
  signal: new AbortController().signal,
  onProgress: ({ phase }) => {
    console.log(phase);
  },
});
