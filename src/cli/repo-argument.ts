import { PrefetchError } from '../core/errors.js';

/** A repo as people name it: `o/n`, `o/n@rev`, `hf://o/n@rev`, or the address of its page on the Hub. */
export interface NamedRepo {
  readonly repo: string;
  readonly repoType?: 'dataset';
  readonly revision?: string;
}

/** Hosts that serve the pages of the Hub itself. */
const HUB_HOSTS = ['huggingface.co', 'www.huggingface.co', 'hf.co'];
/** Pages of a repo whose address goes on with a revision. */
const PAGES_OF_REVISIONS = ['tree', 'blob', 'resolve', 'raw', 'commit', 'commits'];

/**
 * Reads the argument REPO. What it says of revision and type must not contradict the flags.
 * @param hubEndpoint - gives the Hub in use, whose pages are taken too, besides those of huggingface.co
 * @throws PrefetchError `InvalidInput` for an address that names no repo here
 */
export function readRepoArgument(argument: string, hubEndpoint: () => string): NamedRepo {
  if (/^https?:\/\//i.test(argument)) return readPage(argument, hubEndpoint);
  // As it is copied from some address bars.
  if (HUB_HOSTS.some((host) => argument.startsWith(`${host}/`))) return readPage(`https://${argument}`, hubEndpoint);
  if (/^hf:\/\//i.test(argument)) return readHfUrl(argument.slice('hf://'.length));
  return readName(argument);
}

function readPage(argument: string, hubEndpoint: () => string): NamedRepo {
  const url = URL.canParse(argument) ? new URL(argument) : undefined;
  if (url === undefined) throw invalid('expected "owner/name" as on the Hub, or the address of its page');
  const path = pathOnHub(url, hubEndpoint);
  if (path === undefined) {
    throw invalid(
      `${url.origin} is not the Hub in use. Give "owner/name", and set HF_ENDPOINT where another Hub is meant`
    );
  }
  // The address to clone from is that of the page and ".git".
  const segments = path
    .replace(/\.git\/?$/, '')
    .split('/')
    .filter((segment) => segment !== '');
  const pageAt = findPage(segments);
  if (pageAt === undefined) return ofKind(segments.map(decoded));
  const named = ofKind(segments.slice(0, pageAt).map(decoded));
  const { revision, rest } = splitRevision(segments.slice(pageAt + 1).map(decoded));
  refusePath(rest);
  return revision === undefined ? named : { ...named, revision };
}

/** Where a repo's own address ends: after two names, or after one as the oldest repos have; a repo may be called "tree". */
function findPage(segments: readonly string[]): number | undefined {
  const first = segments[0] === 'datasets' ? 1 : 0;
  const isPage = (at: number) => PAGES_OF_REVISIONS.includes(segments[at] ?? '');
  if (isPage(first + 2)) return first + 2;
  return isPage(first + 1) && segments.length > first + 2 ? first + 1 : undefined;
}

function pathOnHub(url: URL, hubEndpoint: () => string): string | undefined {
  if (HUB_HOSTS.includes(url.hostname)) return url.pathname;
  const hub = new URL(`${hubEndpoint()}/`);
  const isOnHub = hub.host === url.host && url.pathname.startsWith(hub.pathname);
  return isOnHub ? url.pathname.slice(hub.pathname.length) : undefined;
}

/** `hf://[datasets/]o/n[@rev][/path]`, as huggingface_hub's file system writes it. */
function readHfUrl(address: string): NamedRepo {
  const [before, after] = splitOnce(address, '@');
  const segments = before.split('/').filter((segment) => segment !== '');
  if (after === undefined) {
    const named = ofKind(segments);
    refusePath(segments.slice(named.repoType === undefined ? 2 : 3));
    return named;
  }
  const { revision, rest } = splitRevision(after.split('/').map(decoded));
  refusePath(rest);
  return { ...ofKind(segments), ...(revision === undefined ? {} : { revision }) };
}

/** No repo has an "@" in its name, and a revision may have slashes. */
function readName(argument: string): NamedRepo {
  const [repo, revision] = splitOnce(argument, '@');
  const named = repo.startsWith('datasets/') && repo.split('/').length === 3 ? ofKind(repo.split('/')) : { repo };
  return revision === undefined ? named : { ...named, revision };
}

function ofKind(segments: readonly string[]): NamedRepo {
  const [kind] = segments;
  if (kind === 'spaces' || kind === 'buckets') throw invalid(`it is one of the ${kind}; expected a model or a dataset`);
  if (kind === 'datasets') return { repo: segments.slice(1).join('/'), repoType: 'dataset' };
  return { repo: segments.join('/') };
}

/** A revision with slashes is one segment in these addresses, but for the Hub's own `refs/pr/1` and `refs/convert/x`. */
function splitRevision(segments: readonly string[]): { readonly revision?: string; readonly rest: string[] } {
  const given = segments.filter((segment) => segment !== '');
  const length = given[0] === 'refs' ? 3 : 1;
  const revision = given.slice(0, length).join('/');
  return { ...(revision === '' ? {} : { revision }), rest: given.slice(length) };
}

function refusePath(rest: readonly string[]): void {
  if (rest.length === 0) return;
  const path = rest.join('/').slice(0, 200);
  throw invalid(`it names ${JSON.stringify(path)} in the repo. Leave that out, and choose files with --include`);
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw invalid('its address has a "%" that encodes nothing');
  }
}

function invalid(problem: string): PrefetchError {
  return new PrefetchError('InvalidInput', `REPO: ${problem}`);
}
