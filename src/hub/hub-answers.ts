import type { Digest } from '../core/digest.js';
import type { ListedFile, ResolvedRevision } from './hub.js';

/** Fields of a repo's description that are asked for: those that a model and a data set both have. */
export const REVISION_FIELDS = ['sha', 'private', 'gated', 'disabled', 'tags'] as const;

/** Reads a description of a repo, of which a mirror may give the commit alone. A string says what is wrong with it. */
export function readRevision(info: unknown): (ResolvedRevision & { readonly disabled: boolean }) | string {
  const { sha, private: isPrivate, gated, disabled, tags } = fields(info);
  if (!isCommit(sha)) return 'the field sha is no commit';
  return {
    commit: sha.toLowerCase(),
    private: isPrivate === true,
    gated: gated === true || typeof gated === 'string',
    disabled: disabled === true,
    tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [],
  };
}

/** The files that a description of a repo names, as entries of a listing. A string says why there are none. */
export function readSiblings(info: unknown, commit: string): readonly unknown[] | string {
  const { sha, siblings } = fields(info);
  if (!isCommit(sha) || sha.toLowerCase() !== commit) return 'it has no listing of this commit';
  if (!Array.isArray(siblings)) return 'it has neither a listing nor siblings in the description of the repo';
  return siblings.map((sibling: unknown) => {
    const { rfilename, size, blobId, lfs } = fields(sibling);
    if (!isThere(lfs)) return { type: 'file', path: rfilename, size, oid: blobId };
    const { sha256: oid, size: lfsSize } = fields(lfs);
    // Here, and only here, the digest is called sha256.
    return { type: 'file', path: rfilename, size, lfs: { oid, size: lfsSize } };
  });
}

/**
 * Reads an entry of a listing; undefined for what is no file. What a mirror leaves out is left out here too; a string says
 * what is wrong with what is there.
 */
export function readEntry(entry: unknown): ListedFile | undefined | string {
  if (typeof entry !== 'object' || entry === null) return 'an entry of the listing is no object';
  const { type, path, size, oid, lfs } = fields(entry);
  if (type !== 'file') return typeof type === 'string' ? undefined : 'an entry of the listing has no type';
  if (typeof path !== 'string') return 'a file of the listing has no path';
  const where = JSON.stringify(path.slice(0, 200));
  // The oid beside `lfs` is that of a pointer and says nothing about the bytes.
  const isLfs = isThere(lfs) && lfs !== false;
  const stored = isLfs ? fields(lfs) : { oid, size };
  const bytes = stored['size'] ?? size;
  if (isThere(bytes) && !isSize(bytes)) return `the size of ${where} is no number of bytes`;
  // Git LFS writes pointers as "sha256:<hex>"; the Hub leaves the algorithm out.
  const digest = isLfs ? readDigest('sha256', withoutPrefix(stored['oid'])) : readDigest('gitSha1', stored['oid']);
  if (digest === undefined && isThere(stored['oid'])) {
    return `the ${isLfs ? 'LFS oid' : 'oid'} of ${where} is no ${isLfs ? 'SHA-256' : 'SHA-1'}`;
  }
  return { path, ...(isSize(bytes) && { size: bytes }), ...(digest !== undefined && { digest }) };
}

/** A digest of an algorithm, if a value is the hex digits of one. */
export function readDigest(algorithm: Digest['algorithm'], value: unknown): Digest | undefined {
  const digits = algorithm === 'sha256' ? 64 : 40;
  if (typeof value !== 'string' || value.length !== digits || !/^[0-9a-f]+$/i.test(value)) return undefined;
  return { algorithm, hex: value.toLowerCase() };
}

function withoutPrefix(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/^sha256:/, '') : value;
}

function fields(value: unknown): Partial<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isCommit(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{40}$/i.test(value);
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
