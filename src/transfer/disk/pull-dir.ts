import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '../../core/digest.js';
import { checkRepoPath } from '../../core/repo-path.js';
import type { StoredFile } from '../../core/stored-file.js';
import { withFileErrors } from '../../storage/local/file-errors.js';
import type { ObjectStore } from '../../storage/object-store.js';
import { forEachAtOnce } from '../../tasks/for-each-at-once.js';
import type { TransferEngine } from '../engine.js';
import { hashFile, hashObject } from '../read/verify-object.js';
import { downloadFile } from './download-file.js';
import { linkOrCopy } from './link-or-copy.js';
import { asDirFailure, notIntact, openStoredSource } from './stored-source.js';

const FILES_AT_ONCE = 4;

/** A Dir in the store, and the folder where it is wanted. */
export interface DirToPull {
  readonly store: ObjectStore;
  readonly engine: TransferEngine;
  readonly dirKey: string;
  readonly files: readonly StoredFile[];
  readonly folder: string;
}

/** How a pull is ended and watched. */
export interface PullOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: { readonly bytesDone: number; readonly totalBytes: number }) => void;
}

/**
 * Brings the files of a Dir to local disk, going on where a killed process ended, and checks each against its digest.
 * `DirNotIntact` when the store no longer has what was verified.
 */
export async function pullDir(source: DirToPull, { signal, onProgress }: PullOptions): Promise<void> {
  const { files } = source;
  const totalBytes = files.reduce((total, { size }) => total + size, 0);
  const done = new Map<string, number>();
  const onBytes = (path: string, bytes: number) => {
    done.set(path, bytes);
    onProgress({ bytesDone: [...done.values()].reduce((a, b) => a + b, 0), totalBytes });
  };
  await forEachAtOnce(files, { limit: FILES_AT_ONCE, signal }, async (file, inner) => {
    await bring(source, file, {
      ...inner,
      onBytes: (bytes) => {
        onBytes(file.path, Math.min(bytes, file.size));
      },
    });
    onBytes(file.path, file.size);
  });
}

interface Bringing {
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
}

async function bring(source: DirToPull, file: StoredFile, options: Bringing): Promise<void> {
  const { store, dirKey, folder } = source;
  const { signal } = options;
  // The path comes from a repo and becomes one on this disk.
  checkRepoPath(file.path);
  const path = join(folder, file.path);
  const key = `${dirKey}${file.path}`;
  await checkObject(store, key, { file, signal });
  const digest = file.digest ?? (await digestOfObject(store, key, { file, signal }));
  if (await isRight(path, { file, digest, signal })) return;
  await withFileErrors({ action: 'write', path }, async () => {
    await rm(path, { force: true });
    await mkdir(dirname(path), { recursive: true });
  });
  await fetch(source, { ...file, digest }, { ...options, path, key });
  // Without a digest from the Hub, the object must still be the one whose bytes were taken.
  if (file.digest === undefined) await checkObject(store, key, { file, signal });
}

async function fetch(
  { store, engine }: DirToPull,
  file: StoredFile & { readonly digest: Digest },
  { signal, onBytes, path, key }: Bringing & { readonly path: string; readonly key: string }
): Promise<void> {
  const target = await store.readTarget(key, { signal });
  if (target.kind === 'file') {
    for (;;) {
      const { resumed } = await linkOrCopy({ from: target.path, to: path, size: file.size }, { signal, onBytes });
      if (await isRight(path, { file, digest: file.digest, signal })) return;
      await rm(path, { force: true });
      // What was there before may be zeros, where the power went: the store is blamed for its own bytes only.
      if (!resumed) throw notIntact(key, 'its bytes do not come to its digest');
    }
  }
  const partial = `${path}.part`;
  const download = {
    source: openStoredSource(store, key, file),
    path: partial,
    folder: dirname(path),
    policies: engine.policies,
  };
  const { fetchedBytes } = await downloadFile(download, { signal, onFetched: onBytes }).catch(
    async (error: unknown) => {
      throw await asDirFailure(error, store, key);
    }
  );
  onBytes(fetchedBytes);
  await withFileErrors({ action: 'write', path }, () => rename(partial, path));
}

async function checkObject(
  store: ObjectStore,
  key: string,
  { file, signal }: { readonly file: StoredFile; readonly signal: AbortSignal }
): Promise<void> {
  const info = await store.head(key, { signal });
  if (info === undefined) throw notIntact(key, 'it is gone');
  if (info.size !== file.size) throw notIntact(key, `it has ${info.size} bytes, not ${file.size}`);
  // A digest says more: an object that was replaced by equal bytes has another etag.
  if (file.digest === undefined && info.etag !== file.etag) throw notIntact(key, 'it was replaced');
}

async function digestOfObject(
  store: ObjectStore,
  key: string,
  { file, signal }: { readonly file: StoredFile; readonly signal: AbortSignal }
): Promise<Digest> {
  const hex = await hashObject(store, { key, size: file.size, algorithm: 'sha256' }, { signal });
  return { algorithm: 'sha256', hex };
}

async function isRight(
  path: string,
  { file, digest, signal }: { readonly file: StoredFile; readonly digest: Digest; readonly signal: AbortSignal }
): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true || found.size !== file.size) return false;
  return (await hashFile(path, { algorithm: digest.algorithm, size: file.size }, { signal })) === digest.hex;
}
