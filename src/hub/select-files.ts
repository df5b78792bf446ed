import { PrefetchError } from '../core/errors.js';
import { weightsAskedFor, type FileSelection } from '../core/identity.js';
import { checkRepoPath, isImpossiblePath, LEAVE_IT_OUT } from '../core/repo-path.js';
import { compileGlobs } from './fnmatch.js';
import type { ListedFile } from './hub.js';
import { isWeights, sortForVllm } from './vllm-files.js';

type NamedFile = Pick<ListedFile, 'path'>;

/**
 * The files of a listing that a selection takes, in the order of the listing. `UnsafePath` when the path of one of them
 * cannot be stored as it is, or when any path of the listing climbs out; `NothingSelected` when nothing is left to bring.
 */
export function selectFiles<T extends NamedFile>(files: readonly T[], selection: FileSelection): T[] {
  for (const { path } of files) if (isImpossiblePath(path)) checkRepoPath(path);
  const matching = matchingFiles(files, selection);
  const { kept, format } = selection.kind === 'vllm' ? sortForVllm(matching) : { kept: matching, format: undefined };
  if (kept.length === 0) throw nothingSelected(files.length, selection);
  // A Dir with a config and no weights would fail only when vLLM starts on it.
  const why = selection.kind === 'vllm' ? missingWeights(files, { matching, format, selection }) : undefined;
  if (why !== undefined) throw nothingSelected(files.length, selection, why);
  checkPaths(kept);
  return [...kept];
}

/** What the globs of a selection let through. */
export function matchingFiles<T extends NamedFile>(files: readonly T[], { include, exclude }: FileSelection): T[] {
  const included = compileGlobs(include);
  const excluded = compileGlobs(exclude);
  return files.filter(({ path }) => (include.length === 0 || included(path)) && !excluded(path));
}

function missingWeights(
  files: readonly NamedFile[],
  { matching, format, selection }: { matching: readonly NamedFile[]; format: unknown; selection: FileSelection }
): string | undefined {
  const asked = weightsAskedFor(selection);
  if (asked === 'mistral' && format !== 'consolidated') {
    return 'No consolidated*.safetensors at the top, which weights "mistral" asks for.';
  }
  if (format !== undefined) return undefined;
  if (asked === 'hf' && files.some(({ path }) => isWeights(path))) {
    return 'No weights are in the layout of Hugging Face, which weights "hf" asks for.';
  }
  const weights = matching.find(({ path }) => isWeights(path));
  if (weights === undefined) return undefined;
  const hint = weights.path.endsWith('.gguf')
    ? ' Its plug-in for GGUF takes one file: choose it with selection "all" and an include.'
    : '';
  return `No weights are in a format that vLLM loads from a folder; one is ${weights.path}.${hint}`;
}

function checkPaths(files: readonly NamedFile[]): void {
  const paths = new Set<string>();
  for (const { path } of files) {
    checkRepoPath(path);
    if (paths.has(path)) throw unsafe(path, 'twice');
    paths.add(path);
  }
  for (const path of paths) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      if (paths.has(path.slice(0, slash))) throw unsafe(path.slice(0, slash), 'as a file and as a folder');
    }
  }
}

function unsafe(path: string, how: string): PrefetchError {
  return new PrefetchError(
    'UnsafePath',
    `The repo lists the path ${JSON.stringify(path.slice(0, 200))} ${how}. ${LEAVE_IT_OUT}.`,
    {
      details: { path: path.slice(0, 200) },
    }
  );
}

function nothingSelected(count: number, { kind, include, exclude }: FileSelection, why?: string): PrefetchError {
  const globs = (field: string, values: readonly string[]) =>
    values.length === 0
      ? []
      : [
          `${field} ${values
            .slice(0, 10)
            .map((glob) => JSON.stringify(glob))
            .join(', ')}`,
        ];
  const chosen = [`selection ${kind}`, ...globs('include', include), ...globs('exclude', exclude)].join('; ');
  const reason =
    count === 0 ? 'The repo has no files.' : (why ?? `None of the ${String(count)} files of the repo is selected.`);
  return new PrefetchError('NothingSelected', `${reason} Selected by: ${chosen}.`, {
    details: { files: count, selection: kind, include, exclude },
  });
}
