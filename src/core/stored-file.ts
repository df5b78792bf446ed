import type { Digest } from './digest.js';

/** A file of a Dir as it lies in a store and was verified there. */
export interface StoredFile {
  /** In the Dir, without a leading slash. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Of the object whose bytes were verified. */
  readonly etag: string;
  /** Where it is not known, size and etag have to do. */
  readonly digest?: Digest;
}

/** The file alone, of a record that says more of it. */
export function storedFileOf({
  path,
  size,
  etag,
  digest,
}: Omit<StoredFile, 'digest'> & { readonly digest?: Digest | undefined }): StoredFile {
  return { path, size, etag, ...(digest === undefined ? {} : { digest }) };
}
