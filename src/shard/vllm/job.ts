import type { ParsedShardConfig, Resources } from '../../core/schemas/input.js';
import type { StoredFile } from '../../core/stored-file.js';
import type { TensorSpec } from '../../safetensors/index.js';
import type { ObjectStore } from '../../storage/object-store.js';
import type { TransferEngine } from '../../transfer/engine.js';
import type { PublishedBytes } from '../../transfer/upload/finalise.js';

/** What is sharded, and into what. */
export interface VllmShardRequest {
  readonly planId: string;
  /** Key prefix of the sharded Dir, ending in "/". */
  readonly dirKey: string;
  readonly source: {
    /** @default the store of the shards */
    readonly store?: ObjectStore;
    /** Key prefix of the Dir that is sharded, ending in "/". */
    readonly dirKey: string;
    readonly files: readonly StoredFile[];
  };
  readonly args: ParsedShardConfig['args'];
  /** What a planner made of `args.dtype`. */
  readonly dtype?: string;
  /** What this host must have. */
  readonly resources?: Resources;
  /** Name of each file to its tensors in the order of its header, where a planner knows the layout. */
  readonly expected?: ReadonlyMap<string, readonly TensorSpec[]>;
}

/** What this host gives, made once per process. */
export interface VllmDependencies {
  readonly store: ObjectStore;
  readonly engine: TransferEngine;
  readonly scratchFolder: string;
  /** What is published where the shards go to. */
  readonly published?: PublishedBytes;
  /** The interpreter that has vLLM. */
  readonly python: string;
  /** MODEL:COUNT of this host, where its operator says so. */
  readonly gpu?: string;
  /** The environment of this process: the driver gets the few variables that it needs of it, and no secret. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The driver to start; default: the one in this package. */
  readonly driver?: string;
  /** How long vLLM may say nothing new before it is taken for hung; default 30 min. */
  readonly silenceMs?: number;
  /** How long processes that were asked to end may take; default 20 s. */
  readonly graceMs?: number;
}

/** How it is watched and ended. */
export interface VllmOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: VllmProgress) => void;
}

/** How far sharding with vLLM is, in one of its phases. */
export interface VllmProgress {
  readonly phase: 'materialise' | 'load' | 'save' | 'check' | 'upload';
  readonly bytesDone: number;
  /** Bytes of the whole phase, of one rank while weights are loaded; not known while they are saved. */
  readonly totalBytes?: number;
  readonly rank?: number;
  readonly ranks?: number;
}

/** The weights of a sharded Dir, checked and in the store. */
export interface VllmShards {
  readonly vllmVersion: string;
  readonly device: 'gpu' | 'cpu';
  readonly dtype: string;
  /**
   * The model's config says that input and output embeddings are the same, and its weights say otherwise: vLLM saves both,
   * and loads both only with `"tie_word_embeddings": false` in the config beside them.
   */
  readonly untied: boolean;
  readonly files: readonly ShardedFile[];
}

/** A weights file in the store, under the etag with which it was checked. */
export interface ShardedFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  readonly etag: string;
}
