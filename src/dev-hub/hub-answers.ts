import { identify, visibleRepo, type Caller } from './access.js';
import { errorAnswer, jsonAnswer, type Answer } from './answer.js';
import { accessCheck, fileListing, pathsInfo, refsOf, repoInfo } from './api-answers.js';
import type { HostedCommit, HostedRepo } from './hosted-repo.js';
import { findCommit, type HubCatalogue } from './hub-catalogue.js';
import type { DevHubOptions } from './options.js';
import type { OriginRequest } from './origin-server.js';
import { rateWindow, type RateBucket } from './rate-window.js';
import { rawFile, resolveCached, resolveFile } from './resolve-answers.js';
import type { UrlSigner } from './signed-url.js';

/** What the routes of the Hub need to know. */
export interface HubContext {
  readonly catalogue: HubCatalogue;
  readonly signer: UrlSigner;
  readonly options: DevHubOptions;
  readonly cdnPort: number;
}

/** A request whose caller and repo are known. */
export interface RepoRequest {
  readonly request: OriginRequest;
  readonly context: HubContext;
  readonly caller: Caller;
  readonly repo: HostedRepo;
}

/** Answers everything that is asked of the Hub's own origin. */
export function hubAnswers(context: HubContext): (request: OriginRequest) => Promise<Answer> {
  const count = rateWindow(context.options.rateLimit);
  let requestNumber = 0;
  return async (request) => {
    const caller = identify(request.authorization, context.options.tokens);
    const name = 'kind' in caller && caller.kind === 'account' ? caller.account.name : '';
    const rate = count(name, bucketOf(request));
    const answer = rate.refused ? tooMany() : 'kind' in caller ? await route(request, { caller, context }) : caller;
    requestNumber += 1;
    const requestId = `dev-hub-${String(requestNumber)}`;
    return { ...answer, headers: { 'X-Request-Id': requestId, ...rate.headers, ...answer.headers } };
  };
}

function bucketOf({ segments }: OriginRequest): RateBucket {
  if (segments[0] === 'api') return segments[1] === 'resolve-cache' ? 'resolvers' : 'api';
  return segments.includes('resolve') ? 'resolvers' : 'pages';
}

function tooMany(): Answer {
  return errorAnswer({ status: 429, message: 'Too many requests: wait until the window of RateLimit ends.' });
}

async function route(
  request: OriginRequest,
  { caller, context }: { caller: Caller; context: HubContext }
): Promise<Answer> {
  const { segments, method } = request;
  if (!['GET', 'HEAD', 'POST'].includes(method)) return errorAnswer({ status: 405, message: 'Method not allowed' });
  if (segments.join('/') === 'api/whoami-v2') return whoAmI(caller);
  const found = findRoute(segments);
  if (found === undefined) return errorAnswer({ status: 404, message: 'Not found' });
  const repo = visibleRepo(context.catalogue.find(found.repo), caller);
  return 'status' in repo ? repo : found.answer({ request, context, caller, repo }, found.rest);
}

type RouteAnswer = (known: RepoRequest, rest: readonly string[]) => Answer | Promise<Answer>;

const apiRoutes: Readonly<Record<string, RouteAnswer>> = {
  revision: (known, [revision = '']) => atCommit(known, revision, (commit) => repoInfo(known, commit)),
  tree: (known, [revision = '', ...path]) =>
    atCommit(known, revision, (commit) => fileListing(known, commit, path.join('/'))),
  'paths-info': (known, [revision = '']) => atCommit(known, revision, (commit) => pathsInfo(known, commit)),
  refs: refsOf,
  'auth-check': accessCheck,
};

const fileRoutes: Readonly<Record<string, RouteAnswer>> = {
  resolve: (known, [revision = '', ...path]) =>
    atCommit(known, revision, (commit) => resolveFile(known, commit, path.join('/'))),
  raw: (known, [revision = '', ...path]) =>
    atCommit(known, revision, (commit) => rawFile(known, commit, path.join('/'))),
};

/** Repos are `owner/name`, or one `name` as the oldest ones; data sets have `datasets/` before that, and no `models/`. */
function findRoute(
  segments: readonly string[]
): { repo: string; answer: RouteAnswer; rest: readonly string[] } | undefined {
  const [first = '', second = ''] = segments;
  if (first === 'api' && second === 'resolve-cache') {
    const rest = withoutModels(segments.slice(2));
    const commit = rest.findIndex((segment) => /^[0-9a-f]{40}$/.test(segment));
    const answer: RouteAnswer = (known, [id = '', ...path]) =>
      atCommit(known, id, (found) => resolveCached(known, found, path.join('/')));
    return { repo: rest.slice(0, commit).join('/'), answer, rest: rest.slice(commit) };
  }
  if (first === 'api' && ['models', 'datasets'].includes(second)) {
    const rest = withoutModels(segments.slice(1));
    const answer: RouteAnswer = (known) => atCommit(known, 'main', (commit) => repoInfo(known, commit));
    return pick(apiRoutes, rest) ?? { repo: rest.join('/'), answer, rest };
  }
  return pick(fileRoutes, segments);
}

function withoutModels(segments: readonly string[]): readonly string[] {
  return segments[0] === 'models' ? segments.slice(1) : segments;
}

function pick(routes: Readonly<Record<string, RouteAnswer>>, segments: readonly string[]) {
  const name = segments[0] === 'datasets' ? 1 : 0;
  const verb = segments.findIndex(
    (segment, position) => position > name && position < name + 3 && Object.hasOwn(routes, segment)
  );
  const answer = routes[segments[verb] ?? ''];
  if (answer === undefined) return undefined;
  return { repo: segments.slice(0, verb).join('/'), answer, rest: segments.slice(verb + 1) };
}

function atCommit(
  { repo }: RepoRequest,
  revision: string,
  answer: (commit: HostedCommit) => Answer | Promise<Answer>
): Answer | Promise<Answer> {
  const commit = findCommit(repo, revision);
  if (commit !== undefined) return answer(commit);
  return errorAnswer({ status: 404, code: 'RevisionNotFound', message: `Invalid rev id: ${revision}` });
}

function whoAmI(caller: Caller): Answer {
  if (caller.kind === 'anonymous') return errorAnswer({ status: 401, message: 'Invalid username or password.' });
  const { name } = caller.account;
  return jsonAnswer({
    type: 'user',
    id: name,
    name,
    fullname: name,
    isPro: false,
    orgs: [],
    auth: {
      type: 'access_token',
      accessToken: { displayName: name, role: 'read', createdAt: '2026-01-01T00:00:00.000Z' },
    },
  });
}
