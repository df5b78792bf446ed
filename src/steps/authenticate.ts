import type { PrefetchSpec } from '../core/contract.js';
import { artifactName, fileSelection, repoOnHub } from '../core/identity.js';
import { dirKey } from '../core/keys.js';
import { pinnedCommit } from '../core/pinned-commit.js';
import { parseKeptInput } from '../core/schemas/parse.js';
import { isGuess, isRefusal } from '../hub/hub-errors.js';
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
  const repo = repoOnHub(input);
  const resolved = await askHub(
    hub,
    { repo, revision: input.revision },
    { ...options, ...(token === undefined ? {} : { token }) }
  );
  const selection = fileSelection(input);
  const artifact = artifactName(input);
  return {
    version: 1,
    repo,
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

/** A Hub that says nothing at all about a pinned commit is waited for this long: the Dir may be there already. */
const PINNED_PATIENCE_MS = 8_000;
/** How long the checks of token and access may take once the commit is known: they only tell a refusal sooner. */
const COURTESY_MS = 4_000;

interface Credentials {
  readonly signal: AbortSignal;
  readonly token?: string;
}

/**
 * The three questions are asked at once, for a cache hit must be quick; the first refusal in this order is told, so that a
 * bad token is called that, whatever else the Hub says about it. Only the commit has to be known: a mirror may lack the
 * pages for the others, and the first file tells then.
 */
async function askHub(
  hub: ActivityDependencies['hub'],
  { repo, revision }: Pick<PrefetchSpec, 'repo' | 'revision'>,
  credentials: Credentials
): Promise<{ commit: string; hubAnswered: boolean }> {
  const { signal } = credentials;
  const pinned = pinnedCommit(revision);
  const courtesy = new AbortController();
  const checks = askChecks(hub, repo, withSignal(credentials, courtesy.signal));
  const patience = new AbortController();
  if (pinned !== undefined) abortAfter(patience, PINNED_PATIENCE_MS);
  const [resolved] = await Promise.allSettled([
    hub.resolveRevision(repo, revision, withSignal(credentials, patience.signal)),
  ]);
  abortAfter(courtesy, COURTESY_MS);
  const [identity, access] = await checks;
  signal.throwIfAborted();
  const refusals = [identity, resolved, access].map(reasonOf).filter(isRefusal);
  // Who gave the commit for this token knows it; a mere status of the other pages tells nothing against that.
  const refusal = refusals.find((error) => resolved.status === 'rejected' || !isGuess(error));
  if (refusal !== undefined) throw refusal;
  if (resolved.status === 'fulfilled') return { commit: resolved.value.commit, hubAnswered: true };
  // Inference restarts must not depend on the Hub: a pinned commit may still be a hit.
  if (pinned !== undefined) return { commit: pinned, hubAnswered: false };
  throw resolved.reason;
}

function askChecks(hub: ActivityDependencies['hub'], repo: string, credentials: Credentials) {
  const { token } = credentials;
  return Promise.allSettled([
    token === undefined ? undefined : hub.whoAmI({ ...credentials, token }),
    hub.checkAccess(repo, credentials),
  ]);
}

function withSignal(credentials: Credentials, signal: AbortSignal): Credentials {
  return { ...credentials, signal: AbortSignal.any([credentials.signal, signal]) };
}

function abortAfter(controller: AbortController, ms: number): void {
  setTimeout(() => {
    controller.abort();
  }, ms).unref();
}

function reasonOf(answer: PromiseSettledResult<unknown>): unknown {
  return answer.status === 'rejected' ? answer.reason : undefined;
}
