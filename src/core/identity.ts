import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { canonicalJson } from './canonical-json.js';
import type { ParsedInput } from './schemas/input.js';

export function sha256Hex(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text)));
}

/**
 * The cache key: `prefetch/<repo>@<revision>/<12 hex>`, at most 255 characters.
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
  return `prefetch/${`${input.repo}@${input.revision}`.slice(0, 255 - 'prefetch//'.length - hash.length)}/${hash}`;
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
