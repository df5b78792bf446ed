import type { HubFile, ResolvedRevision } from './hub.js';

/** Fields of a repo's description that we ask for beyond those that always come. */
export const REVISION_FIELDS = ['sha', 'tags', 'disabled'] as const;

/** Reads a description of a repo. A string says what is wrong with it. */
export function readRevision(info: object): (ResolvedRevision & { readonly disabled: boolean }) | string {
  const { sha, private: isPrivate, gated, disabled, tags, task } = fields(info);
  if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha)) return 'the field sha is no commit';
  if (isPrivate !== undefined && typeof isPrivate !== 'boolean') return 'the field private is not true or false';
  return {
    commit: sha,
    private: isPrivate === true,
    gated: gated === true || typeof gated === 'string',
    disabled: disabled === true,
    tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [],
    ...(typeof task === 'string' && { pipelineTag: task }),
  };
}

/** Reads an entry of a listing; undefined for what is no file. A string says what is wrong with it. */
export function readEntry(entry: unknown): HubFile | undefined | string {
  if (typeof entry !== 'object' || entry === null) return 'an entry of the listing is no object';
  const { type, path, size, oid, lfs } = fields(entry);
  if (type !== 'file') return typeof type === 'string' ? undefined : 'an entry of the listing has no type';
  if (typeof path !== 'string') return 'a file of the listing has no path';
  const where = JSON.stringify(path.slice(0, 200));
  if (typeof lfs === 'object' && lfs !== null) {
    const { oid: sha256, size: lfsSize } = fields(lfs);
    if (!isSize(lfsSize)) return `the LFS size of ${where} is no number of bytes`;
    // Git LFS writes pointers as "sha256:<hex>"; the Hub leaves the algorithm out.
    const hex = typeof sha256 === 'string' ? sha256.replace(/^sha256:/, '') : '';
    if (!/^[0-9a-f]{64}$/.test(hex)) return `the LFS oid of ${where} is no SHA-256`;
    return { path, size: lfsSize, digest: { algorithm: 'sha256', hex } };
  }
  if (!isSize(size)) return `the size of ${where} is no number of bytes`;
  if (typeof oid !== 'string' || !/^[0-9a-f]{40}$/.test(oid)) return `the oid of ${where} is no SHA-1`;
  return { path, size, digest: { algorithm: 'gitSha1', hex: oid } };
}

function fields(value: object): Partial<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(value));
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
