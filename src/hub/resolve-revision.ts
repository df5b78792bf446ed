import { pinnedCommit } from '../core/pinned-commit.js';
import type { HubClient } from './call-hub.js';
import { REVISION_FIELDS, readRevision } from './hub-answers.js';
import { disabledError, protocolError, type Subject } from './hub-errors.js';
import { askFirst, askJson } from './hub-json.js';
import type { HubOptions, ResolvedRevision } from './hub.js';
import { repoUrls } from './repo-urls.js';

/** The commit of a branch, tag or commit, as `Hub.resolveRevision` promises it. */
export async function resolveRevision(
  client: HubClient,
  { repo, revision }: { readonly repo: string; readonly revision: string },
  { token, signal }: HubOptions
): Promise<ResolvedRevision> {
  const subject: Subject = { endpoint: client.endpoint, about: 'repo', repo, revision, token };
  const pinned = pinnedCommit(revision);
  const { api } = repoUrls(client, repo);
  const page = `${api}/revision/${encodeURIComponent(pinned ?? revision)}`;
  const fields = REVISION_FIELDS.map((field) => `expand=${field}`).join('&');
  // The first is short for repos of many files; the second is what official clients ask for.
  const pages = [`${page}?${fields}`, page, ...(revision === 'main' ? [api] : [])];
  return askFirst(pages, async (url) => {
    const read = readRevision(await askJson(client, { url, subject, signal }));
    if (typeof read === 'string') throw protocolError(subject, read);
    const { disabled, ...resolved } = read;
    if (disabled) throw disabledError(subject);
    if (pinned !== undefined && pinned !== resolved.commit) throw protocolError(subject, 'it names another commit');
    return resolved;
  });
}
