import type { Hub, ListedFile } from '../hub/hub.js';

/** A Hub for one task, whose listing of a commit is asked for once and good for all who want it. */
export function listOnce(hub: Hub): Hub {
  const listings = new Map<string, readonly ListedFile[]>();
  return {
    ...hub,
    async *listFiles(repo, commit, options) {
      const key = `${repo} ${commit}`;
      const known = listings.get(key);
      if (known !== undefined) return yield* known;
      const files: ListedFile[] = [];
      for await (const file of hub.listFiles(repo, commit, options)) {
        files.push(file);
        yield file;
      }
      listings.set(key, files);
    },
  };
}
