import type { PrefetchSpec } from '../../core/contract.js';
import { PrefetchError } from '../../core/errors.js';
import { shardedDirKey, type ShardVariant } from '../../core/keys.js';
import type { ParsedShardConfig } from '../../core/schemas/input.js';
import type { Manifest, ManifestFile } from '../../core/schemas/manifest.js';
import type { ShardPlan } from '../../core/schemas/shard-plan.js';
import type { StoredFile } from '../../core/stored-file.js';
import { digestOf } from '../../dir/published-dir.js';
import type { ObjectStore } from '../../storage/object-store.js';

/** A checkpoint to be sharded, and where to. */
export interface ShardingJob {
  /** For the manifest: where the checkpoint comes from. */
  readonly model: ShardPlan['model'];
  readonly source: {
    readonly store: ObjectStore;
    readonly dirKey: string;
    readonly files: readonly StoredFile[];
  };
  readonly target: {
    readonly store: ObjectStore;
    /** Key prefix of the sharded Dir. */
    readonly dirKey: (dtype: string, variant: ShardVariant) => string;
    /** A folder that somebody named: what else lies there is refused before anything is written. */
    readonly named: boolean;
  };
  readonly request: ParsedShardConfig;
  readonly force?: number;
  readonly metadata?: ShardPlan['metadata'];
}

/** The job of a run: its published Dir is sharded into another one beside it. */
export function jobOfRun(
  spec: PrefetchSpec,
  published: Manifest | undefined,
  store: ObjectStore
): ShardingJob & { readonly request: ParsedShardConfig } {
  const { shardConfig: request, dirKey } = spec;
  if (published === undefined || request === undefined) {
    throw new PrefetchError('ObjectChanged', `${store.root}${dirKey} is not published any more. Run it again`);
  }
  const { revision, artifactName, selection } = published;
  const ranks = request.args.tensorParallelSize;
  return {
    model: { repo: spec.repo, revision, artifactName, selection, commit: spec.commit },
    source: { store, dirKey, files: published.files.map(asStoredFile) },
    target: { store, dirKey: (dtype, variant) => shardedDirKey(dirKey, ranks, dtype, variant), named: false },
    request,
    ...(spec.force === undefined ? {} : { force: spec.force }),
    ...(spec.metadata === undefined ? {} : { metadata: spec.metadata }),
  };
}

/** A file of a manifest as a checkpoint's. */
export function asStoredFile(file: ManifestFile): StoredFile {
  const { path, size, etag = '' } = file;
  return { path, size, etag, digest: digestOf(file) };
}
