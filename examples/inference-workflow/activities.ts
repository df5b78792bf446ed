import type { Dir } from 'temporal-model-prefetch';

/** Stands where a real worker would start its inference server on `dir.path`. */
export async function describeModel(dir: Dir): Promise<string> {
  return Promise.resolve(
    `${dir.repo}@${dir.commit}: ${String(dir.fileCount)} files, ${String(dir.totalBytes)} bytes in ${dir.path}`
  );
}
