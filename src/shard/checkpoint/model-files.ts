/** A file of a Dir or of a plain folder. */
interface ModelFile {
  readonly path: string;
}

/** Where a repo says which model it is. */
export const CONFIG_PATH = 'config.json';
/** Where a repo says which weights file holds which tensor. */
export const INDEX_PATH = 'model.safetensors.index.json';

/** The weights that vLLM reads: safetensors at the top, and where there is an index, those that it names. */
export function weightsFiles<T extends ModelFile>(files: readonly T[], indexed: ReadonlySet<string> | undefined): T[] {
  return files.filter(({ path }) => {
    if (path.includes('/') || !path.endsWith('.safetensors')) return false;
    // The same weights once more, in the layout of Mistral's own programs.
    if (/^consolidated.*\.safetensors$/.test(path)) return false;
    return indexed === undefined || indexed.has(path);
  });
}
