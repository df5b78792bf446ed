import type { FileSelection } from './identity.js';
import type { Dir } from './schemas/dir.js';
import type { ModelMetadata, ParsedShardConfig, PrefetchInput, Resources, ShardConfig } from './schemas/input.js';
import type { Manifest, ManifestFile } from './schemas/manifest.js';

export type { Dir, Manifest, ManifestFile, ModelMetadata, PrefetchInput, Resources, ShardConfig };

/** Names on the wire. Renaming one breaks running workflows and every caller in another language. */
export const WORKFLOW_TYPE = 'prefetchModel';
/** The query that answers with `PrefetchProgress`. */
export const PROGRESS_QUERY = 'progress';
/** The activities whose heartbeats are `BatchProgress`. */
export const BATCH_ACTIVITIES: readonly string[] = ['streamFiles', 'downloadAndUploadFiles'];
/** The activities whose heartbeats are `ShardProgress`. */
export const SHARD_ACTIVITIES: readonly string[] = ['shardNatively', 'shardWithVllm', 'checkShards'];

/** The checked input, resolved to a commit: what every later step works with. */
export interface PrefetchSpec {
  readonly version: 1;
  readonly repo: string;
  readonly revision: string;
  readonly commit: string;
  readonly artifactName: string;
  readonly selection: FileSelection;
  /** Root of the destination, ending in "/". */
  readonly destination: string;
  /** Key prefix of the Dir under the destination. */
  readonly dirKey: string;
  readonly hfTokenKey?: string;
  readonly force?: number;
  readonly shardConfig?: ParsedShardConfig;
  readonly resources?: Resources;
  readonly metadata?: ModelMetadata;
  /** False when a pinned commit was taken on trust because the Hub did not answer: good for a cache hit only. */
  readonly hubAnswered: boolean;
}

/** What a plan comes to; the files themselves stay in the store, so that history stays small. */
export interface PlanSummary {
  readonly planId: string;
  readonly batchCount: number;
  readonly fileCount: number;
  readonly totalBytes: number;
  /** Files and bytes that the batches have to bring; the rest is in the Dir already. */
  readonly fetchFiles: number;
  readonly fetchBytes: number;
  /** Of these, bytes that lie in the same store and are copied inside it. */
  readonly copyBytes: number;
  /** The worker's configuration asks for download and upload instead of streaming. */
  readonly downloadUpload: boolean;
  /** A good Dir that the batches complete: what an earlier release published, which selected less for vLLM. */
  readonly served?: Dir;
}

/** What planning comes to: the published Dir itself, or work. */
export type PlanOutcome =
  { readonly kind: 'hit'; readonly dir: Dir } | { readonly kind: 'fetch'; readonly plan: PlanSummary };

/** What a batch needs of a spec. History keeps it once for every batch, so it leaves out globs and descriptions. */
export type BatchSpec = Pick<PrefetchSpec, 'repo' | 'commit' | 'destination' | 'dirKey' | 'hfTokenKey' | 'force'>;

/** Input of the activities that move files: `batch` is a position in the plan's `batches`. */
export interface BatchRequest {
  readonly spec: BatchSpec;
  readonly planId: string;
  readonly batch: number;
}

/** What a batch brought into the Dir, in files and bytes. */
export interface BatchResult {
  readonly files: number;
  readonly bytes: number;
  /** Bytes that came from the Hub now, without what was copied or found verified. */
  readonly fetchedBytes: number;
}

/** Heartbeat details of a batch; a client sums them with the progress query for a live picture. */
export interface BatchProgress {
  readonly batch: number;
  readonly filesDone: number;
  readonly bytesDone: number;
  /** Of `bytesDone`, those that were in the store before this attempt. Absent in heartbeats of 0.1.0. */
  readonly foundBytes?: number;
  /** The biggest file in flight, for people to read. */
  readonly current?: string;
}

/** How a published Dir is sharded; the layout itself stays in the store. */
export interface ShardPlanSummary {
  readonly planId: string;
  /** Key prefix of the sharded Dir under the destination. */
  readonly dirKey: string;
  readonly engine: ShardEngine;
  readonly reason: string;
  readonly tensorParallelSize: number;
  readonly dtype: string;
  /** Parts of every rank; each is one activity of the native engine. */
  readonly parts: number;
  /** Weights files that the ranks have to give back; each is one activity. 0 where the layout is not known. */
  readonly checks: number;
  /** Bytes of all shards; of the source, where the layout is not known. */
  readonly totalBytes: number;
}

/** What planning the shards comes to: the published sharded Dir itself, or work. */
export type ShardOutcome =
  { readonly kind: 'hit'; readonly dir: Dir } | { readonly kind: 'shard'; readonly plan: ShardPlanSummary };

/** One step of a shard plan, as history keeps it. */
export interface ShardStep {
  readonly destination: string;
  readonly dirKey: string;
  readonly planId: string;
  /** Which part, or which weights file; absent for steps that there is one of. */
  readonly number?: number;
  /** For vLLM. No part of the plan: who asks for less goes on with what was begun. */
  readonly resources?: Resources;
}

/** What a step wrote or checked, in files and bytes. */
export interface ShardStepResult {
  readonly files: number;
  readonly bytes: number;
}

/** Heartbeat details of a step. */
export interface ShardProgress {
  readonly bytesDone: number;
  /** For people to read. */
  readonly current: string;
}

/** The activities of sharding, under the names that they have on the wire. */
export interface ShardActivities {
  /** Finds the Dir that the same request made before; `UnsupportedSharding` when its engine cannot do it. */
  findShards(spec: PrefetchSpec): Promise<Dir | undefined>;
  /** Lays the shards of a published Dir out and chooses the engine. */
  planShards(spec: PrefetchSpec): Promise<ShardOutcome>;
  /** Writes one part of every rank. */
  shardNatively(step: ShardStep): Promise<ShardStepResult>;
  /** Has vLLM write all parts, on the host that its queue stands for. */
  shardWithVllm(step: ShardStep): Promise<ShardStepResult>;
  /** Brings config, tokenizer and what else is no weight. */
  copyModelFiles(step: ShardStep): Promise<ShardStepResult>;
  /** Puts one weights file together again from the files of all ranks, and compares it. */
  checkShards(step: ShardStep): Promise<ShardStepResult>;
  /** Checks that all is there as it was verified and writes the manifest. */
  publishShards(step: ShardStep, spec: Pick<PrefetchSpec, 'revision'>): Promise<Dir>;
}

/** The activities of a prefetch, under the names that they have on the wire. */
export interface PrefetchActivities {
  /** Checks the input, the token and the access, and resolves the revision to a commit. */
  authenticate(input: unknown): Promise<PrefetchSpec>;
  /** Finds the published Dir, or writes the plan of what is missing. */
  planPrefetch(spec: PrefetchSpec): Promise<PlanOutcome>;
  /** Moves the files of one batch from the Hub to the store. */
  streamFiles(request: BatchRequest): Promise<BatchResult>;
  /** The same by way of local disk, for stores that cannot take streamed parts. */
  downloadAndUploadFiles(request: BatchRequest): Promise<BatchResult>;
  /** Checks that all is there and writes the manifest. */
  publishDir(spec: PrefetchSpec, plan: PlanSummary): Promise<Dir>;
}

/** Input of the activity that waits for a model; `input` is the caller's and not checked yet. */
export interface EnsureModelRequest {
  readonly input: unknown;
  /** Base name of the queues that run the prefetch. */
  readonly taskQueue: string;
  /** Whether cancelling the wait cancels the run, for all who wait for it. */
  readonly cancelRun?: boolean;
}

/** Heartbeat details of the wait, for people to read: which run it is, and how far. */
export interface WaitProgress extends Partial<PrefetchProgress> {
  readonly workflowId: string;
  readonly taskQueue: string;
}

/** The activity of the role `wait`, under its name on the wire. */
export interface WaitActivities {
  /** Starts the prefetch or joins the running one, and waits for its Dir. */
  ensureModel(request: EnsureModelRequest): Promise<Dir>;
}

/** Who writes the shards: our own code on a CPU, or vLLM. */
export type ShardEngine = 'native' | 'vllm';

/** Where a run is; `shard` and `check` come only with a shard config. */
export type Phase = 'authenticate' | 'plan' | 'transfer' | 'publish' | 'shard' | 'check' | 'done';

/**
 * Answer of the `progress` query: what the workflow knows. While a batch is under way, its files and bytes are in the
 * heartbeats of its activity (`BatchProgress`), and count here once it has finished.
 */
export interface PrefetchProgress {
  readonly phase: Phase;
  readonly repo?: string;
  readonly commit?: string;
  readonly fileCount: number;
  readonly totalBytes: number;
  /** Files and bytes of finished batches, and of what was there before. */
  readonly filesDone: number;
  readonly bytesDone: number;
  /** Of `bytesDone`, those that did not come from the Hub now: they lay in the store. Absent in answers of 0.1.0. */
  readonly foundBytes?: number;
  readonly cacheHit: boolean;
  /** Once the shards are planned: which engine makes them, and why. */
  readonly sharding?: Pick<ShardPlanSummary, 'engine' | 'reason' | 'tensorParallelSize' | 'dtype'>;
}
