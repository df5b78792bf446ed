/** The commit that a revision is by itself, in lower case; undefined for a branch or a tag, which may move. */
export function pinnedCommit(revision: string): string | undefined {
  return /^[0-9a-f]{40}$/i.test(revision) ? revision.toLowerCase() : undefined;
}
