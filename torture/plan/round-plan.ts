/** Where a round's models go. `unconditional` is versitygw without conditional writes, as some stores are. */
export type StoreKind = (typeof STORE_KINDS)[number];
export const STORE_KINDS = ['file', 'versitygw', 'minio', 'unconditional'] as const;

/** Everything that chance decides about a round; the same for the same seed and round. */
export interface RoundPlan {
  readonly seed: number;
  readonly round: number;
  readonly store: StoreKind;
  readonly scenario: string;
  readonly model: ModelPlan;
  /** Bytes per second of each CDN connection. */
  readonly pace: number;
  readonly hubFaults: readonly HubFaultPlan[];
  readonly storeFaults: readonly StoreFaultPlan[];
  /** For how long lists of the store stay as they were; 0 for always fresh. */
  readonly staleListMs: number;
  readonly homes: readonly HomePlan[];
  readonly workers: readonly WorkerPlan[];
  readonly runs: readonly RunPlan[];
  readonly events: readonly EventPlan[];
  /** After the loss of a worker: its runs are ended and started again, or wait for the missing heartbeat. */
  readonly afterLoss: 'terminate' | 'heartbeat';
  readonly deadlineMs: number;
}

/** A repo with two commits; the second shares most files with the first. */
export interface ModelPlan {
  readonly small: readonly FilePlan[];
  readonly large: readonly FilePlan[];
  /** Paths that are other bytes in the second commit. */
  readonly changed: readonly string[];
}

export interface FilePlan {
  readonly path: string;
  readonly size: number;
}

/** Settings of one process; a process that starts again takes the next in line. */
export interface ProcessSettings {
  readonly partMiB: number;
  readonly lanes: number;
  readonly memoryMiB: number;
  readonly transfer: 'stream' | 'download-upload';
}

export interface HomePlan {
  readonly name: string;
  readonly settings: readonly ProcessSettings[];
}

export interface WorkerPlan extends HomePlan {
  readonly namespace: string;
}

/** One `hf-model` command, started again until it ends well. */
export interface RunPlan {
  readonly name: string;
  /** The home of an embedded run, or the namespace of a run on the cluster. */
  readonly place: { readonly home: string } | { readonly namespace: string };
  /** A branch, or the position of a commit, which is then asked for by its id. */
  readonly revision: 'main' | 0 | 1;
  readonly force?: number;
  readonly start: Trigger;
}

/** When something happens: by what was seen, never by the clock. */
export type Trigger =
  | { readonly kind: 'at-once' }
  /** The CDN has sent this share of the bytes of the first commit, of all runs together. */
  | { readonly kind: 'bytes'; readonly share: number }
  /** This many manifests have come to stand. */
  | { readonly kind: 'published'; readonly dirs: number }
  /** The store was asked for this the n-th time, and has not heard of it yet. */
  | { readonly kind: 'store'; readonly op: StoreOp; readonly nth: number };

export interface EventPlan {
  readonly at: Trigger;
  /** `power` ends a command and the Temporal server that it started. */
  readonly action: 'kill' | 'power' | 'stop' | 'term' | 'kill-server' | 'move-branch';
  /** Name of a run or of a worker; a command on a cluster and its workers are told apart by it. */
  readonly target: string;
  /** When a stopped process wakes; at the end of the round at the latest. */
  readonly wake?: Trigger;
}

export type StoreOp =
  | 'create'
  | 'part'
  | 'complete'
  | 'put'
  | 'copy'
  | 'list'
  | 'head'
  | 'get'
  | 'delete'
  | 'manifest'
  | 'list-parts'
  | 'list-uploads';

export interface HubFaultPlan {
  readonly origin: 'hub' | 'cdn';
  /** So many requests pass first. */
  readonly after: number;
  readonly kind: 'flip' | 'cut' | 'slow' | 'reset' | 'reset-body' | '5xx' | '429' | 'pause' | 'stall' | 'expired';
  /** Position of the wrong byte, of the cut, or length of what is slow, in bytes of the answer. */
  readonly at: number;
}

export interface StoreFaultPlan {
  readonly op: StoreOp;
  readonly after: number;
  readonly kind: '500' | 'slow-down' | 'reset' | 'cut-body' | 'slow' | 'lost-answer' | 'cut-answer';
}
