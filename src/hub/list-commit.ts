import type { HubClient } from './call-hub.js';
import { checkEntries } from './check-entries.js';
import { readEntry, readSiblings } from './hub-answers.js';
import { protocolError, type Subject } from './hub-errors.js';
import { askFirst, askJson, askPages, betterTold, mayBeUnknown, type JsonQuestion } from './hub-json.js';
import type { HubOptions, ListedFile } from './hub.js';
import { repoUrls } from './repo-urls.js';

/** Which commit is listed, and how much of it is believed. */
interface Listing {
  readonly repo: string;
  readonly commit: string;
  readonly maxEntries: number;
}

/** Every file of a commit, as `Hub.listFiles` promises them. */
export async function* listCommit(
  client: HubClient,
  listing: Listing,
  { token, signal }: HubOptions
): AsyncGenerator<ListedFile> {
  const { repo, commit, maxEntries } = listing;
  const subject: Subject = { endpoint: client.endpoint, about: 'repo', repo, revision: commit, token };
  const check = checkEntries(subject, maxEntries);
  for await (const entries of entriesOf(client, listing, { subject, signal })) {
    for (const entry of entries) {
      check(entry);
      const file = readEntry(entry);
      if (typeof file === 'string') throw protocolError(subject, file);
      if (file !== undefined) yield file;
    }
  }
}

type Question = Omit<JsonQuestion, 'url'>;

/** The pages of the Hub's own listing; where a mirror has none, the files that its description of the repo names. */
async function* entriesOf(
  client: HubClient,
  { repo, commit }: Listing,
  question: Question
): AsyncGenerator<readonly unknown[]> {
  const { api } = repoUrls(client, repo);
  const url = `${api}/tree/${encodeURIComponent(commit)}?recursive=true&expand=false`;
  let pages = 0;
  try {
    for await (const page of askPages(client, { ...question, url })) {
      const entries = asEntries(question.subject, page);
      pages += 1;
      yield entries;
    }
  } catch (error) {
    if (pages > 0 || !mayBeUnknown(error)) throw error;
    yield await askSiblings(client, { api, commit }, question).catch((failure: unknown) => {
      throw mayBeUnknown(failure) ? betterTold(error, failure) : failure;
    });
  }
}

function asEntries(subject: Subject, page: unknown): readonly unknown[] {
  if (Array.isArray(page)) return page;
  throw protocolError(subject, 'its listing is no list');
}

async function askSiblings(
  client: HubClient,
  { api, commit }: { readonly api: string; readonly commit: string },
  question: Question
): Promise<readonly unknown[]> {
  const page = `${api}/revision/${encodeURIComponent(commit)}`;
  return askFirst([`${page}?blobs=true`, page, api], async (url) => {
    const siblings = readSiblings(await askJson(client, { ...question, url }), commit);
    if (typeof siblings === 'string') throw protocolError(question.subject, siblings);
    return siblings;
  });
}
