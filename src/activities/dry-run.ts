import type { Dir } from '../core/contract.js';
import { objectUrl } from '../storage/store-url.js';
import { authenticate } from './authenticate.js';
import type { ActivityDependencies } from './dependencies.js';
import { surveyDir } from './survey.js';

/** What a prefetch would do. */
export interface DryRun {
  readonly repo: string;
  readonly revision: string;
  readonly commit: string;
  /** URL of the Dir as it is or would be. */
  readonly dirPath: string;
  /** The published Dir, when there is nothing to do. */
  readonly published?: Dir;
  readonly fileCount: number;
  readonly totalBytes: number;
  /** Bytes that would come from the Hub. */
  readonly fetchBytes: number;
  /** Bytes that would be copied inside the store. */
  readonly copyBytes: number;
  /** Bytes that are in the Dir and verified. */
  readonly verifiedBytes: number;
  readonly files: readonly DryRunFile[];
}

export interface DryRunFile {
  readonly path: string;
  readonly size: number;
  readonly state: 'fetch' | 'copy' | 'verified';
}

/** Asks the Hub and the store what a prefetch would do, and writes nothing. Fails as the prefetch would. */
export async function dryRun(
  input: unknown,
  dependencies: Pick<ActivityDependencies, 'hub' | 'openStore' | 'readToken' | 'destinations'>,
  options: { readonly signal: AbortSignal }
): Promise<DryRun> {
  const spec = await authenticate(dependencies, input, options);
  const store = await dependencies.openStore(spec.destination);
  const token = await dependencies.readToken(spec.hfTokenKey);
  const survey = await surveyDir({ spec, store, hub: dependencies.hub, token }, options);
  const files: readonly DryRunFile[] =
    survey.kind === 'hit'
      ? survey.manifest.files.map(({ path, size }) => ({ path, size, state: 'verified' }))
      : survey.files.map(({ path, size, verifiedEtag, copyFrom }) => ({
          path,
          size,
          state: verifiedEtag !== undefined ? 'verified' : copyFrom !== undefined ? 'copy' : 'fetch',
        }));
  return {
    repo: spec.repo,
    revision: spec.revision,
    commit: spec.commit,
    dirPath: objectUrl(store.root, spec.dirKey),
    ...(survey.kind === 'hit' ? { published: survey.dir } : {}),
    fileCount: files.length,
    totalBytes: bytesOf(files),
    fetchBytes: bytesOf(files.filter(({ state }) => state === 'fetch')),
    copyBytes: bytesOf(files.filter(({ state }) => state === 'copy')),
    verifiedBytes: bytesOf(files.filter(({ state }) => state === 'verified')),
    files,
  };
}

function bytesOf(files: readonly DryRunFile[]): number {
  return files.reduce((total, { size }) => total + size, 0);
}
