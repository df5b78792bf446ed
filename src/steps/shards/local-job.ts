import { PrefetchError } from '../../core/errors.js';
import type { ParsedShardConfig } from '../../core/schemas/input.js';
import type { Manifest, ManifestFile } from '../../core/schemas/manifest.js';
import type { DirObjects } from '../../dir/dir-objects.js';
import { openDir } from '../../dir/open-dir.js';
import { asNotIntact } from '../../dir/published-dir.js';
import type { ObjectStore } from '../../storage/object-store.js';
import { asStoredFile, type ShardingJob } from './sharding-job.js';

/** A checkpoint and a folder for its shards, as somebody names them. */
export interface NamedFolders {
  /** The store whose root is the Dir or the folder with the checkpoint. */
  readonly source: ObjectStore;
  /** The store that holds the folder for the shards, and the folder's name under its root: empty for the root itself. */
  readonly target: { readonly store: ObjectStore; readonly folder: string };
  readonly request: ParsedShardConfig;
  readonly force?: number;
}

/** The job of sharding a Dir, or a plain folder that no Hub knows, into a folder that somebody named. */
export async function jobOfFolders(
  { source, target, request, force }: NamedFolders,
  options: { readonly signal: AbortSignal }
): Promise<ShardingJob> {
  const dirKey = target.folder === '' ? '' : `${target.folder}/`;
  const { published, objects, changed } = await openDir(source, '').compare(options).catch(asNotIntact);
  if (published !== undefined) refuseBroken(source, published.manifest, changed);
  else refuseUnreadable(source, objects);
  const manifest = published?.manifest;
  return {
    model: manifest === undefined ? plainModel(source.root) : { ...pickModel(manifest), commit: manifest.commit },
    source: {
      store: source,
      dirKey: '',
      files: manifest?.files.map(asStoredFile) ?? plainFiles(objects),
    },
    target: { store: target.store, dirKey: () => dirKey, named: true },
    request,
    ...(force === undefined ? {} : { force }),
  };
}

function pickModel({ repo, revision, artifactName, selection }: Manifest) {
  return { repo, revision, artifactName, selection };
}

/** A folder has a name and no more; its commit is made of its content when that was read. */
function plainModel(root: string): ShardingJob['model'] {
  const folder = root.replace(/\/$/, '');
  const name = decodeURIComponent(folder.slice(folder.lastIndexOf('/') + 1));
  return {
    repo: name,
    revision: 'local',
    artifactName: name.replaceAll(/[^A-Za-z0-9_-]+/g, '-') || 'model',
    selection: { kind: 'all', include: [], exclude: [] },
  };
}

/** What an unfinished program left, and folders of version control, are no part of a checkpoint. */
function plainFiles(objects: DirObjects) {
  return [...objects]
    .filter(([path]) => !path.split('/').some((segment) => segment.startsWith('.')))
    .map(([path, { size, etag }]) => ({ path, size, etag }));
}

function refuseBroken({ root }: ObjectStore, { format }: Manifest, changed: readonly ManifestFile[]): void {
  if (format !== 'huggingface') {
    throw new PrefetchError('InvalidInput', `DIR: ${root} is sharded already: give the Dir that it was made of`);
  }
  if (changed.length === 0) return;
  const wrong = changed.map(({ path }) => path);
  throw new PrefetchError(
    'DirNotIntact',
    `${root} is not as it was published: ${wrong.slice(0, 3).join(', ')}${wrong.length > 3 ? ', …' : ''} changed or went. ` +
      'Bring it again, or see model-prefetch verify',
    { details: { paths: wrong.slice(0, 20) } }
  );
}

function refuseUnreadable({ root }: ObjectStore, objects: DirObjects): void {
  if (objects.size === 0)
    throw new PrefetchError(
      'InvalidInput',
      `DIR: ${root} holds no files: expected a Dir, or a folder with a checkpoint`
    );
}
