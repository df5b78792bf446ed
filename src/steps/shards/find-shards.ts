import { canonicalJson } from '../../core/canonical-json.js';
import type { Dir, Manifest, PrefetchSpec } from '../../core/contract.js';
import { isPrefetchError } from '../../core/errors.js';
import { shardedDirPrefix } from '../../core/keys.js';
import type { ParsedShardConfig } from '../../core/schemas/input.js';
import type { InspectOptions } from '../../dir/inspect-dir.js';
import { openDir } from '../../dir/open-dir.js';
import { isTrusted } from '../../dir/published-dir.js';
import type { ObjectStore } from '../../storage/object-store.js';
import type { ActivityDependencies } from '../dependencies.js';
import { foreseeEngine } from './foresee-engine.js';

type Needs = Pick<ActivityDependencies, 'hub' | 'openStore' | 'readToken'>;
/** A spec that asks for shards. */
export type ShardingSpec = PrefetchSpec & { readonly shardConfig: ParsedShardConfig };

/**
 * The Dir that the same request made before: it needs neither the Hub nor the Dir it was made of. Where there is none, a
 * request that is sure to be refused, by its engine or for a checkpoint that is not whole, is refused before any byte moves.
 */
export async function findShards(
  needs: Needs,
  spec: PrefetchSpec,
  options: { readonly signal: AbortSignal }
): Promise<Dir | undefined> {
  if (!asksForShards(spec)) return undefined;
  const published = await findPublishedShards(await needs.openStore(spec.destination), spec, {
    ...options,
    mayRepair: () => true,
  });
  if (published === undefined && spec.hubAnswered) await foreseeEngine(needs, spec, options);
  return published?.dir;
}

/** Tells inputs with a shard config from those that end with the Dir. */
export function asksForShards(spec: PrefetchSpec): spec is ShardingSpec {
  return spec.shardConfig !== undefined;
}

/** The sharded Dir that the same request made before, whole and trusted. */
export async function findPublishedShards(
  store: ObjectStore,
  spec: ShardingSpec,
  options: InspectOptions & { readonly signal: AbortSignal }
): Promise<{ readonly dir: Dir; readonly manifest: Manifest } | undefined> {
  const prefix = shardedDirPrefix(spec.dirKey, spec.shardConfig.args.tensorParallelSize);
  const parent = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  for await (const folder of store.listFolders(parent, options)) {
    const dirKey = `${parent}${folder}/`;
    if (!dirKey.startsWith(prefix)) continue;
    const dir = openDir(store, dirKey);
    const published = await dir
      .findIntact((manifest) => isOfRequest(spec, manifest), options)
      .catch(passOverUnreadable);
    if (published !== undefined) return { dir: dir.describe(published, spec), manifest: published.manifest };
  }
  return undefined;
}

/** Whether a manifest is one of this request: repo, commit, shards and force. */
function isOfRequest(spec: ShardingSpec, manifest: Manifest): boolean {
  const { repo, commit, sharding } = manifest;
  const isSame = canonicalJson(sharding?.request) === canonicalJson(spec.shardConfig);
  return isSame && repo === spec.repo && commit === spec.commit && isTrusted(spec, manifest);
}

/** Beside a Dir may lie what a later version made: it is no hit, and nobody touches it. */
function passOverUnreadable(error: unknown): undefined {
  if (!isPrefetchError(error, 'ManifestUnreadable')) throw error;
}
