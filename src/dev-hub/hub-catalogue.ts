import { commitAt, type HostedCommit, type HostedFile, type HostedRepo } from './hosted-repo.js';
import type { DevAccess } from './options.js';

/** All repos of a dev Hub, and the changes that can be made while it runs. */
export interface HubCatalogue {
  readonly find: (repo: string) => HostedRepo | undefined;
  readonly commitOf: (repo: string, revision: string) => string;
  readonly moveBranch: (repo: string, branch: string, position: number) => void;
  readonly setAccess: (repo: string, access: DevAccess) => void;
}

/** Looks repos up by id; `commitOf` and the changes throw a `RangeError` for one that is not there. */
export function hubCatalogue(repos: readonly HostedRepo[]): HubCatalogue {
  const byId = new Map(repos.map((repo) => [repo.id, repo]));
  const known = (id: string): HostedRepo => {
    const repo = byId.get(id);
    if (repo === undefined) throw new RangeError(`The dev Hub has no repo ${id}`);
    return repo;
  };
  return {
    find: (id) => byId.get(id),
    commitOf: (id, revision) => {
      const commit = findCommit(known(id), revision);
      if (commit === undefined) throw new RangeError(`${id} has no revision ${revision}`);
      return commit.id;
    },
    moveBranch: (id, branch, position) => {
      const repo = known(id);
      repo.branches.set(branch, commitAt(id, repo.commits, position));
    },
    setAccess: (id, access) => {
      const repo = known(id);
      repo.access = { ...repo.access, ...access };
    },
  };
}

/** The commit that a branch, a tag, a full ref or a commit id stands for. */
export function findCommit({ branches, tags, commits }: HostedRepo, revision: string): HostedCommit | undefined {
  return (
    branches.get(revision === 'HEAD' ? 'main' : revision.replace(/^refs\/heads\//, '')) ??
    tags.get(revision.replace(/^refs\/tags\//, '')) ??
    commits.find(({ id }) => id === revision)
  );
}

/** The file that a path of the CDN, `/<repo>/<commit>/<path>`, names. */
export function findCdnFile(catalogue: HubCatalogue, segments: readonly string[]): HostedFile | undefined {
  const at = segments.findIndex((segment) => /^[0-9a-f]{40}$/.test(segment));
  const repo = catalogue.find(segments.slice(0, at).join('/'));
  const commit = repo?.commits.find(({ id }) => id === segments[at]);
  return commit?.files.get(segments.slice(at + 1).join('/'));
}
