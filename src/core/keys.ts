import { canonicalJson } from './canonical-json.js';
import { sha256Hex, type FileSelection } from './identity.js';

const PREFIX = '.prefetch/';

/** Key prefix of a Dir under the store's root: `<artifactName>/<commit>/`, with a suffix for a partial selection. */
export function dirKey(artifactName: string, commit: string, selection: FileSelection): string {
  return `${artifactName}/${commit}${selectionSuffix(selection)}/`;
}

/** A partial Dir must never pass for a whole one, so a file selection is part of the folder's name. */
function selectionSuffix(selection: FileSelection): string {
  if (selection.kind === 'all' && selection.include.length === 0 && selection.exclude.length === 0) return '';
  return `.files-${sha256Hex(canonicalJson(selection)).slice(0, 8)}`;
}

/** What decides the bytes of shards beside their source, data type and number of ranks. */
export interface ShardVariant {
  readonly engine: 'native' | 'vllm';
  /** Layout profile of the native engine, or the vLLM release of the other. */
  readonly profile: string;
  readonly maxFileSize: number;
  readonly filePattern: string;
}

/** Start of the folder names of all sharded Dirs beside a Dir. */
export function shardedDirPrefix(dir: string, ranks: number): string {
  return `${dir.replace(/\/$/, '')}.vllm-tp${String(ranks)}-`;
}

/** Key prefix of a sharded Dir: beside the Dir that it was made of, under a name that says how. */
export function shardedDirKey(dir: string, ranks: number, dtype: string, variant: ShardVariant): string {
  return `${shardedDirPrefix(dir, ranks)}${dtype}-${sha256Hex(canonicalJson(variant)).slice(0, 8)}/`;
}

/** The object that makes a Dir one: it is written last. */
export function manifestKey(dir: string): string {
  return `${dir}${PREFIX}manifest.json`;
}

/** Folder of one plan: what a run has to do and what it did. It goes when the Dir is published. */
export function planPrefix(dir: string, planId: string): string {
  return `${dir}${PREFIX}${planId}/`;
}

/** The files of a plan and their batches. */
export function planKey(dir: string, planId: string): string {
  return `${planPrefix(dir, planId)}plan.json`;
}

/** What was verified of one batch, so that the next worker does not repeat it. */
export function batchRecordKey(dir: string, planId: string, batch: number): string {
  return `${planPrefix(dir, planId)}batch-${String(batch)}.json`;
}

/** What was checked of a sharded Dir before it is published: one record for a part of all ranks, a check, and so on. */
export function shardRecordKey(dir: string, planId: string, record: string): string {
  return `${planPrefix(dir, planId)}${record}.json`;
}

/** The layout of the shards and what it was made from. */
export function shardPlanKey(dir: string, planId: string): string {
  return `${planPrefix(dir, planId)}shard-plan.json`;
}

/** Folder of all plans of a Dir, and of its manifest. */
export function plansPrefix(dir: string): string {
  return `${dir}${PREFIX}`;
}

/** True for a plan and for the records of its batches. */
export function isPlanObject(dir: string, key: string): boolean {
  return key.startsWith(plansPrefix(dir)) && /^[0-9a-f]{16}\//.test(key.slice(plansPrefix(dir).length));
}

/** The plan id of a plan's key, or undefined for any other key. */
export function planIdOf(dir: string, key: string): string | undefined {
  return key.startsWith(`${dir}${PREFIX}`)
    ? /^([0-9a-f]{16})\/plan\.json$/.exec(key.slice(dir.length + PREFIX.length))?.[1]
    : undefined;
}

/** True for our own objects inside a Dir; a repo may have none of that name. */
export function isReservedPath(path: string): boolean {
  // Some file systems take names that differ in case only for the same.
  const lower = path.toLowerCase();
  return lower === PREFIX.slice(0, -1) || lower.startsWith(PREFIX);
}
