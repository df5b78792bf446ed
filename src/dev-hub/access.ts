import { errorAnswer, type Answer } from './answer.js';
import type { HostedRepo } from './hosted-repo.js';
import type { DevAccount, DevHubOptions } from './options.js';

/** Who asks: nobody in particular, or an account. */
export type Caller = { readonly kind: 'anonymous' } | { readonly kind: 'account'; readonly account: DevAccount };

/** Reads the Authorization header; a token that is not known is refused on public repos too. */
export function identify(authorization: string | undefined, tokens: DevHubOptions['tokens']): Caller | Answer {
  if (authorization === undefined) return { kind: 'anonymous' };
  const token = /^Bearer (.+)$/i.exec(authorization)?.[1];
  const account =
    token !== undefined && tokens !== undefined && Object.hasOwn(tokens, token) ? tokens[token] : undefined;
  if (account !== undefined) return { kind: 'account', account };
  return errorAnswer({ status: 401, message: 'Invalid credentials in Authorization header' });
}

/** The repo, where the caller may know that it exists. A private repo looks exactly like one that does not. */
export function visibleRepo(repo: HostedRepo | undefined, caller: Caller): HostedRepo | Answer {
  if (repo === undefined || (repo.access.private === true && !hasGrant(repo, caller))) {
    return errorAnswer({
      status: caller.kind === 'anonymous' ? 401 : 404,
      code: 'RepoNotFound',
      message: caller.kind === 'anonymous' ? 'Invalid username or password.' : 'Repository not found',
    });
  }
  if (repo.access.disabled === true) {
    return errorAnswer({ status: 403, message: 'Access to this resource is disabled.' });
  }
  return repo;
}

/** Why the caller may not read files of a gated repo; its metadata is public. */
export function refusedFiles(repo: HostedRepo, caller: Caller): Answer | undefined {
  const { gated = false } = repo.access;
  if (gated === false || hasGrant(repo, caller)) return undefined;
  return errorAnswer({
    status: caller.kind === 'anonymous' ? 401 : 403,
    code: 'GatedRepo',
    message:
      caller.kind === 'anonymous'
        ? `Access to model ${repo.id} is restricted: send a token that has been granted access.`
        : `Access to model ${repo.id} is restricted, and this account is not in its list of grants.`,
  });
}

function hasGrant(repo: HostedRepo, caller: Caller): boolean {
  return caller.kind === 'account' && (caller.account.repos === undefined || caller.account.repos.includes(repo.id));
}
