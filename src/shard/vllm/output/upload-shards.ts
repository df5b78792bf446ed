import type { ObjectStore } from '../../../storage/object-store.js';
import { mapAtOnce } from '../../../tasks/for-each-at-once.js';
import { uploadFile } from '../../../transfer/disk/upload-file.js';
import type { TransferEngine } from '../../../transfer/engine.js';
import { hashFile } from '../../../transfer/read/verify-object.js';
import type { PublishedBytes } from '../../../transfer/upload/finalise.js';
import type { ShardedFile, VllmOptions } from '../job.js';
import type { ShardFile } from './check-output.js';

const FILES_AT_ONCE = 4;

/** Where the shards go. */
export interface ShardTarget {
  readonly store: ObjectStore;
  readonly engine: TransferEngine;
  readonly dirKey: string;
  readonly published?: PublishedBytes | undefined;
}

/** Uploads checked files, going on where an earlier attempt ended; the result is in the order of the files. */
export async function uploadShards(
  files: readonly ShardFile[],
  target: ShardTarget,
  { signal, onProgress }: Required<VllmOptions>
): Promise<ShardedFile[]> {
  const totalBytes = files.reduce((total, { size }) => total + size, 0);
  const done = new Map<string, number>();
  return mapAtOnce(files, { limit: FILES_AT_ONCE, signal }, (file, inner) =>
    uploadShard(file, target, {
      ...inner,
      onProgress: (bytes) => {
        done.set(file.name, bytes);
        onProgress({ phase: 'upload', bytesDone: [...done.values()].reduce((a, b) => a + b, 0), totalBytes });
      },
    })
  );
}

async function uploadShard(
  { name, path, size }: ShardFile,
  { store, engine, dirKey, published }: ShardTarget,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: (bytesDone: number) => void }
): Promise<ShardedFile> {
  const hex = await hashFile(path, { algorithm: 'sha256', size }, { signal });
  const { etag } = await uploadFile(
    {
      path,
      name,
      size,
      digest: { algorithm: 'sha256', hex },
      store,
      key: `${dirKey}${name}`,
      engine,
      ...(published === undefined ? {} : { published }),
      trust: 'verify-existing',
    },
    {
      signal,
      onProgress: ({ bytesDone }) => {
        onProgress(bytesDone);
      },
    }
  );
  onProgress(size);
  return { path: name, size, sha256: hex, etag };
}
