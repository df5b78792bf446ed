import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { canonicalJson } from './canonical-json.js';
import { compact, withoutNulls } from './compact.js';
import type { PrefetchInput } from './contract.js';
import type { ParsedInput } from './schemas/input.js';
import { GiB } from './units.js';

/** The lowest limit in use: servers with an SQL database are often set up with it. They count bytes. */
const MAX_ID_BYTES = 255;

/** SHA-256 of the text as UTF-8, in lower-case hex. */
export function sha256Hex(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text)));
}

/**
 * What a field stands for in the ID when it is left out, for good: IDs are in scripts and in running workflows, so a default
 * that is raised must not change them. A field that came later adds nothing when it is left out.
 */
const LEFT_OUT = {
  revision: 'main',
  selection: 'all',
  include: [],
  exclude: [],
} as const satisfies Partial<PrefetchInput>;
const SHARDING_LEFT_OUT = {
  engine: 'auto',
  args: {
    tensorParallelSize: 1,
    dtype: 'auto',
    trustRemoteCode: false,
    filePattern: 'model-rank-{rank}-part-{part}.safetensors',
    maxFileSize: 5 * GiB,
    vllmVersion: '0.32.0',
  },
} as const;

/**
 * The cache key: `prefetch/<repo>@<revision>/<12 hex>`, at most 255 bytes. The hash covers what changes the result and
 * nothing else: not the resources, not the name of the token. It takes a checked input as its caller gave it, without
 * the defaults of today.
 */
export function prefetchWorkflowId(given: PrefetchInput): string {
  const input = { ...LEFT_OUT, ...compact(withoutNulls(given)), repo: given.repo };
  const repo = repoOnHub(input);
  const decides = {
    repo,
    revision: input.revision,
    selection: fileSelection(input),
    rawDataPath: input.rawDataPath === undefined ? undefined : withTrailingSlash(input.rawDataPath),
    artifactName: artifactName(input),
    shardConfig: input.shardConfig === undefined ? undefined : sharding(input.shardConfig),
    force: input.force,
  };
  const hash = sha256Hex(canonicalJson(decides)).slice(0, 12);
  // A revision may have 200 characters and a repo 193; the hash keeps shortened IDs apart.
  return `prefetch/${cutToBytes(`${repo}@${input.revision}`, MAX_ID_BYTES - 'prefetch//'.length - hash.length)}/${hash}`;
}

function sharding(given: NonNullable<PrefetchInput['shardConfig']>) {
  const args = { ...SHARDING_LEFT_OUT.args, ...compact(given.args ?? {}) };
  return { ...SHARDING_LEFT_OUT, ...compact(given), args };
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

/** The repo as the Hub's own addresses have it: datasets lie beside the models, under `datasets/`. */
export function repoOnHub({ repo, repoType }: Pick<PrefetchInput, 'repo' | 'repoType'>): string {
  return repoType === 'dataset' ? `datasets/${repo}` : repo;
}

/** Folder of the artifact in the store; default: last segment of the repo, "." as "-". */
export function artifactName(input: Pick<ParsedInput, 'repo' | 'artifactName'>): string {
  return input.artifactName ?? (input.repo.split('/').at(-1) ?? input.repo).replaceAll('.', '-');
}

/** Which files of a repo belong to the model: its kind first, then the globs. */
export interface FileSelection {
  readonly kind: 'all' | 'vllm';
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/**
 * The file selection in the one form that is hashed: globs sorted, doubles dropped. A layout of weights that was asked
 * for leaves out the other one, so it is nothing but globs to whoever keeps or reads a selection.
 */
export function fileSelection(
  input: Pick<ParsedInput, 'selection' | 'include' | 'exclude' | 'weights'>
): FileSelection {
  const otherLayout = input.weights === undefined ? [] : OTHER_LAYOUT[input.weights];
  return {
    kind: input.selection,
    include: [...new Set(input.include)].sort(),
    exclude: [...new Set([...input.exclude, ...otherLayout])].sort(),
  };
}

/** What each layout leaves out. They are in names of Dirs, for good. */
const OTHER_LAYOUT = {
  hf: ['consolidated*.safetensors', 'consolidated*.safetensors.index.json'],
  // vLLM loads .bin before a consolidated file.
  mistral: [...allBut('consolidated', '.safetensors'), '*.bin'],
};

/** Globs know no "not consolidated": these take what leaves that word at one of its letters, or ends within it. */
function allBut(word: string, ending: string): string[] {
  return Array.from(word, (letter, at) => {
    const begin = word.slice(0, at);
    return [`${begin}[!${letter}]*${ending}`, ...(at === 0 ? [] : [`${begin}${ending}`])];
  }).flat();
}

/** The layout of weights that a selection was made with, where one was asked for. */
export function weightsAskedFor({ kind, exclude }: FileSelection): 'hf' | 'mistral' | undefined {
  if (kind === 'all') return undefined;
  const leavesOut = (globs: readonly string[]) => globs.every((glob) => exclude.includes(glob));
  if (leavesOut(OTHER_LAYOUT.mistral)) return 'mistral';
  return leavesOut(OTHER_LAYOUT.hf) ? 'hf' : undefined;
}

/** The form that roots of stores have everywhere, for keys are put right behind them. */
export function withTrailingSlash(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}
