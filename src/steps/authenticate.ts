import type { PrefetchSpec } from '../core/contract.js';
import { isPrefetchError } from '../core/errors.js';
import { artifactName, fileSelection } from '../core/identity.js';
import { dirKey } from '../core/keys.js';
import type { ParsedInput } from '../core/schemas/input.js';
import { parseKeptInput } from '../core/schemas/parse.js';
import type { ActivityDependencies } from './dependencies.js';
import { resolveDestination } from './destination.js';

type Needs = Pick<ActivityDependencies, 'hub' | 'readToken' | 'destinations'>;

/** Checks the input, the token and the access, and resolves the revision to a commit. Nothing is written. */
export async function authenticate(
  { hub, readToken, destinations }: Needs,
  value: unknown,
  options: { readonly signal: AbortSignal }
): Promise<PrefetchSpec> {
  const input = parseKeptInput(value);
  const destination = resolveDestination(input.rawDataPath, destinations);
  const token = await readToken(input.hfTokenKey);
  const resolved = await askHub(hub, input, { ...options, ...(token === undefined ? {} : { token }) });
  const selection = fileSelection(input);
  const artifact = artifactName(input);
  return {
    version: 1,
    repo: input.repo,
    revision: input.revision,
    commit: resolved.commit,
    artifactName: artifact,
    selection,
    destination,
    dirKey: dirKey(artifact, resolved.commit, selection),
    hubAnswered: resolved.hubAnswered,
    ...(input.hfTokenKey === undefined ? {} : { hfTokenKey: input.hfTokenKey }),
    ...(input.force === undefined ? {} : { force: input.force }),
    ...(input.shardConfig === undefined ? {} : { shardConfig: input.shardConfig }),
    ...(input.resources === undefined ? {} : { resources: input.resources }),
    ...(input.metadata === undefined ? {} : { metadata: input.metadata }),
  };
}

/**
 * The three questions are asked at once, for a cache hit must be quick; the first failure in this order is told,
 * so that a bad token is called that, whatever else the Hub says about it. A no counts before an answer that is missing.
 */
async function askHub(
  hub: ActivityDependencies['hub'],
  { repo, revision }: ParsedInput,
  options: { readonly signal: AbortSignal; readonly token?: string }
): Promise<{ commit: string; hubAnswered: boolean }> {
  const { token } = options;
  const [identity, resolved, access] = await Promise.allSettled([
    token === undefined ? undefined : hub.whoAmI({ ...options, token }),
    hub.resolveRevision(repo, revision, options),
    hub.checkAccess(repo, options),
  ]);
  const failures = [identity, resolved, access].filter((answer) => answer.status === 'rejected');
  const refusal = failures.find(({ reason }) => isPrefetchError(reason) && reason.permanent);
  const told = refusal ?? failures[0];
  if (told !== undefined) {
    // Inference restarts must not depend on the Hub: a pinned commit may still be a hit.
    if (isPinned(revision) && isPrefetchError(told.reason, 'HubUnavailable')) {
      return { commit: revision, hubAnswered: false };
    }
    throw told.reason;
  }
  if (resolved.status === 'rejected') throw resolved.reason;
  return { commit: resolved.value.commit, hubAnswered: true };
}

function isPinned(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
