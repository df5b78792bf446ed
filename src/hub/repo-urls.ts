/** Where a Hub has a repo. */
export interface RepoUrls {
  /** What it is asked about the repo under. */
  readonly api: string;
  /** What its files lie under. */
  readonly files: string;
}

/** The URLs of a repo in the Hub's own notation: `datasets/owner/name` is a data set, anything else a model. */
export function repoUrls({ endpoint }: { readonly endpoint: string }, repo: string): RepoUrls {
  const path = encodePath(repo);
  const api = path.startsWith('datasets/') ? path : `models/${path}`;
  return { api: `${endpoint}/api/${api}`, files: `${endpoint}/${path}` };
}

/** A path or revision for a URL, slashes between segments kept. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
