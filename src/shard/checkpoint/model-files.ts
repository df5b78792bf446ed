import { isWeights } from '../../hub/vllm-files.js';

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

/**
 * The files beside the weights that a sharded Dir needs: config, tokenizer, templates, processors, remote code and text
 * for people. No weights in any format, no index of files that are not there, nothing of other programs.
 */
export function sideFiles<T extends ModelFile>(files: readonly T[]): T[] {
  return files.filter(({ path }) => {
    const folders = path.split('/').slice(0, -1);
    if (folders.some((folder) => folder.startsWith('.') || OTHER_PROGRAMS.test(folder))) return false;
    const name = path.slice(path.lastIndexOf('/') + 1);
    return !name.startsWith('.') && !name.endsWith('.index.json') && !isWeights(path) && !OTHER_FILES.test(name);
  });
}

const OTHER_PROGRAMS = /^(?:original|onnx|openvino|coreml|gguf|tflite|tensorrt|runs|checkpoint-\d+)$/i;

/** Pictures and archives are for people and other programs. */
const OTHER_FILES = /\.(?:npz|pkl|zip|tar|gz|parquet|png|jpe?g|gif|webp|svg|mp4|pdf|ipynb)$/i;
