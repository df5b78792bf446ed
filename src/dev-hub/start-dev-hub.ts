import { openDigestBook } from './digest-book.js';
import { folderRepos } from './folder-repos.js';
import { hostRepo, type HostedRepo } from './hosted-repo.js';
import { hubAnswers } from './hub-answers.js';
import { hubCatalogue } from './hub-catalogue.js';
import type { DevHub, DevHubOptions } from './options.js';
import { startOrigin, type OriginServer } from './origin-server.js';
import { requestJournal } from './request-journal.js';
import { cdnAnswers } from './resolve-answers.js';
import { urlSigner } from './signed-url.js';

/**
 * Starts a Hugging Face Hub and its CDN on two ports of this machine, good enough for the official clients:
 * `HF_ENDPOINT=<url> hf download <owner>/<name>`. It knows no xet: clients then use plain HTTP.
 */
export async function startDevHub(options: DevHubOptions): Promise<DevHub> {
  const catalogue = hubCatalogue(await hostRepos(options));
  const signer = urlSigner(options.signedUrlSeconds ?? 3600);
  const journal = requestJournal(options.onRequest);
  const { host = '127.0.0.1', intercept } = options;
  const shared = { host, journal, intercept };
  const cdn = await startOrigin({
    ...shared,
    origin: 'cdn',
    port: options.cdnPort ?? 0,
    answer: cdnAnswers(catalogue, signer),
  });
  const answer = hubAnswers({ catalogue, signer, options, cdnPort: cdn.port });
  const hub = await startOrigin({ ...shared, origin: 'hub', port: options.port ?? 0, answer }).catch(
    async (error: unknown) => {
      await cdn.close();
      throw error;
    }
  );
  return {
    url: urlOf(host, hub),
    cdnUrl: urlOf(host, cdn),
    requests: journal.records,
    commitOf: catalogue.commitOf,
    moveBranch: catalogue.moveBranch,
    setAccess: catalogue.setAccess,
    close: async () => {
      await Promise.all([hub.close(), cdn.close()]);
    },
  };
}

async function hostRepos(options: DevHubOptions): Promise<readonly HostedRepo[]> {
  const { repos, signal } = options;
  const book = await openDigestBook(options.digestCache, signal);
  const hosted: HostedRepo[] = [];
  try {
    const wanted = 'folder' in repos ? await folderRepos(repos.folder, signal) : repos;
    for (const repo of wanted) hosted.push(await hostRepo(repo, { book, options }));
  } finally {
    // Also when it was given up half-way: hashing the same gigabytes again would help nobody.
    await book.save();
  }
  return hosted;
}

function urlOf(host: string, { port }: OriginServer): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
}
