import { canonicalJson } from '../../core/canonical-json.js';
import type { Dir, PrefetchSpec } from '../../core/contract.js';
import { shardedDirPrefix } from '../../core/layout.js';
import type { Hub } from '../../hub/hub.js';
import { readModelShape } from '../../shard/layout/model-shape.js';
import { checkFitsRanks } from '../../shard/layout/fits-ranks.js';
import { findProfile } from '../../shard/layout/profiles.js';
import { resolveDtype } from '../../shard/layout/target-dtype.js';
import { CONFIG_PATH } from '../../shard/checkpoint/model-files.js';
import type { ActivityDependencies } from '../dependencies.js';
import { dirOf, isIntact, isTrusted, listDir, readManifest } from '../published-dir.js';
import { chooseEngine } from './choose-engine.js';

type Needs = Pick<ActivityDependencies, 'hub' | 'openStore' | 'readToken'>;

/**
 * The Dir that the same request made before: it needs neither the Hub nor the Dir it was made of. Where there is none, a
 * request that the native engine is sure to refuse is refused now, before any byte moves.
 */
export async function findShards(
  needs: Needs,
  spec: PrefetchSpec,
  options: { readonly signal: AbortSignal }
): Promise<Dir | undefined> {
  const store = await needs.openStore(spec.destination);
  const { shardConfig } = spec;
  if (shardConfig === undefined) return undefined;
  const prefix = shardedDirPrefix(spec.dirKey, shardConfig.args.tensorParallelSize);
  const parent = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  for await (const folder of store.listFolders(parent, options)) {
    const dirKey = `${parent}${folder}/`;
    if (!dirKey.startsWith(prefix)) continue;
    const published = await readManifest(store, dirKey, options);
    const request = published?.manifest.sharding?.request;
    if (published === undefined || canonicalJson(request) !== canonicalJson(shardConfig)) continue;
    if (!isTrusted(spec, published.manifest)) continue;
    if (isIntact(published.manifest, await listDir(store, dirKey, options))) {
      return dirOf(store, { dirKey, revision: spec.revision }, published);
    }
  }
  if (spec.hubAnswered) await refuseEarly(needs, spec, options);
  return undefined;
}

/** Judges config.json alone, as the Hub has it; what the headers say is judged when they are in the store. */
async function refuseEarly(
  { hub, readToken }: Pick<Needs, 'hub' | 'readToken'>,
  spec: PrefetchSpec,
  options: { readonly signal: AbortSignal }
): Promise<void> {
  const { shardConfig } = spec;
  if (shardConfig === undefined) return;
  const { tensorParallelSize, vllmVersion, dtype } = shardConfig.args;
  await chooseEngine(shardConfig, async () => {
    const token = await readToken(spec.hfTokenKey);
    const config = await readConfig(hub, spec, { ...options, ...(token === undefined ? {} : { token }) });
    if (config === undefined) return;
    const shape = readModelShape(config);
    findProfile(shape.architecture, vllmVersion);
    checkFitsRanks(shape, tensorParallelSize);
    resolveDtype(dtype, shape, []);
  });
}

/** Undefined where nothing can be told from it yet: then the planner tells it, from the store. */
async function readConfig(
  hub: Hub,
  { repo, commit }: Pick<PrefetchSpec, 'repo' | 'commit'>,
  options: { readonly signal: AbortSignal; readonly token?: string }
): Promise<unknown> {
  for await (const { path, size } of hub.listFiles(repo, commit, options)) {
    if (path !== CONFIG_PATH) continue;
    const bytes = await hub.read({ repo, commit, path, size }, options);
    try {
      return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
    } catch {
      return undefined;
    }
  }
  return undefined;
}
