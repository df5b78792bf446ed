import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { canonicalJson } from './canonical-json.js';
import type { ParsedInput } from './schemas/input.js';

/** The lowest limit in use: servers with an SQL database are often set up with it. They count bytes. */
const MAX_ID_BYTES = 255;

export function sha256Hex(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text)));
}

/**
 * The cache key: `prefetch/<repo>@<revision>/<12 hex>`, at most 255 bytes.
 * The hash covers what changes the result and nothing else: not the resources, not the name of the token.
 */
export function prefetchWorkflowId(input: ParsedInput): string {
  const decides = {
    repo: input.repo,
    revision: input.revision,
    selection: fileSelection(input),
    rawDataPath: input.rawDataPath === undefined ? undefined : withTrailingSlash(input.rawDataPath),
    artifactName: artifactName(input),
    shardConfig: input.shardConfig,
    force: input.force,
  };
  const hash = sha256Hex(canonicalJson(decides)).slice(0, 12);
  // A revision may have 200 characters and a repo 193; the hash keeps shortened IDs apart.
  return `prefetch/${cutToBytes(`${input.repo}@${input.revision}`, MAX_ID_BYTES - 'prefetch//'.length - hash.length)}/${hash}`;
}

/** Keeps whole characters: half of a surrogate pair is no text that a server takes. */
function cutToBytes(text: string, maxBytes: number): string {
  let kept = '';
  let bytes = 0;
  for (const character of text) {
    bytes += utf8ToBytes(character).length;
    if (bytes > maxBytes) break;
    kept += character;
  }
  return kept;
}

/** Folder of the artifact in the store; default: last segment of the repo, "." as "-". */
export function artifactName(input: Pick<ParsedInput, 'repo' | 'artifactName'>): string {
  return input.artifactName ?? (input.repo.split('/').at(-1) ?? input.repo).replaceAll('.', '-');
}

export interface FileSelection {
  readonly kind: 'all' | 'vllm';
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** The file selection in the one form that is hashed: globs sorted, doubles dropped. */
export function fileSelection(input: Pick<ParsedInput, 'selection' | 'include' | 'exclude'>): FileSelection {
  return {
    kind: input.selection,
    include: [...new Set(input.include)].sort(),
    exclude: [...new Set(input.exclude)].sort(),
  };
}

export function withTrailingSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}
