import type { LogFormat, LogLevel } from '../config/worker-settings.js';
import type { PrefetchInput } from '../core/contract.js';
import type { Role } from '../core/queues.js';
import type { ParsedShardConfig } from '../core/schemas/input.js';

/** What `--output` takes: text for people, JSON for scripts. */
export type OutputFormat = 'text' | 'json';

/** The shells that have a script for completion. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
/** One of {@link SHELLS}. */
export type Shell = (typeof SHELLS)[number];

/** What every command takes. */
export interface CommonOptions {
  readonly output: OutputFormat;
  /** Stack traces and the SDK's own log on stderr. */
  readonly verbose: boolean;
  /** No progress and no notes on stderr: failures only. */
  readonly quiet: boolean;
  /** After so long a command that waits gives up. */
  readonly timeoutMs?: number;
}

/** A model as the flags name it; the shard config is read from its file later, for parsing does no I/O. */
export interface InputOptions {
  readonly input: PrefetchInput;
  readonly shardConfigFile?: string;
}

/** Flags of `hf-model`; `store` is for the embedded mode only. */
export interface HfModelOptions extends CommonOptions, InputOptions {
  readonly wait: boolean;
  /** Further models, with the same flags. */
  readonly others?: readonly InputOptions[];
  readonly store?: string;
}

/** Flags of `plan`, which looks and changes nothing. */
export interface PlanOptions extends CommonOptions, InputOptions {
  readonly store?: string;
}

/** What an argument may mean: a workflow ID, or the model whose run has the ID that its flags give. */
export type TargetCandidate = { readonly workflowId: string } | InputOptions;

/** A run, by what its argument may mean: the first that there is counts. */
export type TargetOptions = CommonOptions & { readonly candidates: readonly TargetCandidate[] };

/** Flags of `worker`; without roles it serves all but `gpu`. */
export interface WorkerOptions extends CommonOptions {
  readonly roles?: readonly Role[];
  readonly gpu?: string;
  readonly taskQueue?: string;
  readonly exitWhenIdleMs?: number;
  readonly identity?: string;
  readonly deploymentName?: string;
  readonly buildId?: string;
  readonly logFormat?: LogFormat;
  readonly logLevel?: LogLevel;
  /** False takes work without looking at what it needs. */
  readonly checks?: false;
}

/** Flags of `dev-hub`, which serves the models of one folder. */
export interface DevHubCommandOptions extends CommonOptions {
  readonly folder: string;
  readonly host?: string;
  readonly port?: number;
  readonly cdnPort?: number;
  readonly tokenFile?: string;
}

/** Flags of `shard`, which works in this process, without Temporal. */
export interface ShardOptions extends CommonOptions {
  /** URL or path of a Dir or of a plain checkpoint. */
  readonly dir: string;
  readonly shardConfig: ParsedShardConfig;
  readonly force?: number;
}

/** Flags of `verify`; those of vLLM are compared with what the shards fit. */
export interface VerifyOptions extends CommonOptions {
  readonly dir: string;
  /** Every byte is read. */
  readonly deep: boolean;
  /** What vLLM is to be started with. */
  readonly tensorParallelSize?: number;
  readonly dtype?: string;
  readonly vllmVersion?: string;
}

/** The shell whose script is printed. */
export interface CompletionOptions extends CommonOptions {
  readonly shell: Shell;
}

/** A command and its options, as plain data: parsing makes it, running takes it. */
export type Invocation =
  | { readonly command: 'hf-model'; readonly options: HfModelOptions }
  | { readonly command: 'id'; readonly options: CommonOptions & InputOptions }
  | { readonly command: 'plan'; readonly options: PlanOptions }
  | { readonly command: 'status' | 'result' | 'cancel'; readonly options: TargetOptions }
  | { readonly command: 'shard'; readonly options: ShardOptions & { readonly to: string } }
  | { readonly command: 'shard plan'; readonly options: ShardOptions }
  | { readonly command: 'verify'; readonly options: VerifyOptions }
  | { readonly command: 'worker'; readonly options: WorkerOptions }
  | { readonly command: 'dev-hub'; readonly options: DevHubCommandOptions }
  | { readonly command: 'completion'; readonly options: CompletionOptions }
  | { readonly command: 'version'; readonly options: CommonOptions };
