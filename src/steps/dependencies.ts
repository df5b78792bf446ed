import type { Hub } from '../hub/hub.js';
import type { VllmDependencies } from '../shard/vllm/job.js';
import type { ObjectStore } from '../storage/object-store.js';
import type { TransferEngine } from '../transfer/engine.js';
import type { DestinationPolicy } from './destination.js';

/** What the activities need, made once per worker process. */
export interface ActivityDependencies {
  readonly hub: Hub;
  /** Opens the store of a root, or gives the one that is open. */
  readonly openStore: (root: string) => Promise<ObjectStore>;
  readonly engine: TransferEngine;
  /** Reads a token by the name of its secret; undefined means anonymous. */
  readonly readToken: (key: string | undefined) => Promise<string | undefined>;
  readonly destinations: DestinationPolicy;
  readonly transferMode: 'stream' | 'download-upload';
  /** Local disk for the download half of `download-upload`, and for what vLLM reads and writes. */
  readonly scratchFolder: string;
  /** The vLLM of this host. */
  readonly vllm: Pick<VllmDependencies, 'python' | 'gpu' | 'environment' | 'silenceMs'>;
  /** Tells an operator of what went wrong and did no harm. */
  readonly warn?: (text: string) => void;
  readonly tool: { readonly name: string; readonly version: string };
}
