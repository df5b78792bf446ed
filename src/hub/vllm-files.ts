import { isForOthers, type LeftOutReason } from './files-for-others.js';

/** All that decides whether vLLM loads a file. */
interface NamedFile {
  readonly path: string;
}

/** What of a repo is for vLLM, and what is not. */
export interface FilesForVllm<T> {
  readonly kept: readonly T[];
  readonly leftOut: readonly { readonly file: T; readonly why: LeftOutReason }[];
  /** The format of the model's weights; undefined where there are none that vLLM loads. */
  readonly format: WeightsFormat | undefined;
}

/** In which of these a set of weights is taken: the first that is there. */
const formatOrder = ['safetensors', 'bin', 'consolidated', 'pt'] as const;
/** A format of weights that vLLM loads; `consolidated` are safetensors in the layout of Mistral. */
export type WeightsFormat = (typeof formatOrder)[number];

/**
 * Leaves out what is known to be for others: their weights, weights of vLLM in another format than the chosen one,
 * states of a training. What nobody knows stays, for a tokenizer may read it.
 */
export function sortForVllm<T extends NamedFile>(files: readonly T[]): FilesForVllm<T> {
  const candidates = files.filter(({ path }) => isForOthers(path) === undefined);
  const models = modelFolders(candidates);
  const formats = chooseFormats(candidates, models);
  const reason = ({ path }: T): LeftOutReason | undefined => {
    const format = weightsFormat(path) ?? indexedFormat(path);
    const isOther = format !== undefined && !isReadByName(path) && format !== formats.get(weightsSet(path, models));
    return isForOthers(path) ?? (isOther ? 'weights in another format' : undefined);
  };
  const sorted = files.map((file) => ({ file, why: reason(file) }));
  return {
    kept: sorted.flatMap(({ file, why }) => (why === undefined ? [file] : [])),
    leftOut: sorted.flatMap(({ file, why }) => (why === undefined ? [] : [{ file, why }])),
    format: formats.get(':model') ?? [...formats.values()].find((format) => format !== undefined),
  };
}

/** What vLLM loads: weights in one format, and all that is not known to be for others. */
export function vllmFiles<T extends NamedFile>(files: readonly T[]): readonly T[] {
  return sortForVllm(files).kept;
}

/**
 * The same without the model's own weights and their indexes, which shards stand for. Weights of a folder with a config
 * of its own stay: vLLM reads a module such as `2_Dense/` by itself.
 */
export function sideFiles<T extends NamedFile>(files: readonly T[]): T[] {
  const kept = vllmFiles(files);
  const models = modelFolders(kept);
  return kept.filter(({ path }) => {
    const format = weightsFormat(path) ?? indexedFormat(path);
    return format === undefined || !weightsSet(path, models).startsWith(':');
  });
}

/** True for weights in any format at all, those of other programs too. */
export function isWeights(path: string): boolean {
  if (isForOthers(path) === 'state of a training') return false;
  return (
    weightsFormat(path) !== undefined ||
    /\.(pth|ckpt|gguf|ggml|onnx|h5|msgpack|ot|mlmodel|tflite|engine|nemo|tensors)$/.test(baseName(path))
  );
}

/** Weights that a class of vLLM or of its processors asks for by name, beside those of the model. */
function isReadByName(path: string): boolean {
  return /^(?:sparse_linear\.pt|colbert_linear\.pt|mask_embedding\.pt|joint_head\.safetensors|spk_dict\.pt)$/.test(
    baseName(path)
  );
}

/**
 * Weights of one set are the same in several formats: those of the model, of an adapter beside it, and of each folder
 * that has a config of its own. Mistral's layout is one of the whole repo: vLLM looks for it in every folder.
 */
function weightsSet(path: string, models: ReadonlySet<string>): string {
  if (isConsolidated(baseName(path))) return ':model';
  const kind = baseName(path).startsWith('adapter_model.') ? 'adapter' : 'model';
  let folder = folderOf(path);
  while (folder !== '' && !models.has(folder) && !isModule(folder)) folder = folderOf(folder);
  return `${folder}:${kind}`;
}

/** Folders with a config of their own. */
function modelFolders(files: readonly NamedFile[]): ReadonlySet<string> {
  const configs = files.filter(({ path }) => /^(?:config|adapter_config)\.json$/.test(baseName(path)));
  return new Set(configs.map(({ path }) => folderOf(path)));
}

/** A module of sentence-transformers such as `2_Dense` or `2_Dense_1024`. */
function isModule(folder: string): boolean {
  return /^\d+_\w+$/.test(folder);
}

function chooseFormats(
  files: readonly NamedFile[],
  models: ReadonlySet<string>
): ReadonlyMap<string, WeightsFormat | undefined> {
  const sets = new Map<string, { readonly top: Set<WeightsFormat>; readonly all: Set<WeightsFormat> }>();
  for (const { path } of files) {
    const format = isReadByName(path) ? undefined : weightsFormat(path);
    if (format === undefined) continue;
    const name = weightsSet(path, models);
    const set = sets.get(name) ?? { top: new Set(), all: new Set() };
    sets.set(name, set);
    set.all.add(format);
    if (folderOf(path) === name.slice(0, name.lastIndexOf(':'))) set.top.add(format);
  }
  // Weights right in the folder decide, as in vLLM; where there are none, those below do.
  const choose = ({ top, all }: { top: Set<WeightsFormat>; all: Set<WeightsFormat> }) =>
    formatOrder.find((format) => (top.size > 0 ? top : all).has(format));
  return new Map([...sets].map(([name, set]) => [name, choose(set)]));
}

function weightsFormat(path: string): WeightsFormat | undefined {
  const name = baseName(path);
  if (name.endsWith('.safetensors')) return isConsolidated(name) ? 'consolidated' : 'safetensors';
  if (name.endsWith('.bin')) return 'bin';
  return name.endsWith('.pt') ? 'pt' : undefined;
}

function indexedFormat(path: string): WeightsFormat | undefined {
  return path.endsWith('.index.json') ? weightsFormat(path.slice(0, -'.index.json'.length)) : undefined;
}

/** True for weights in the layout of Mistral, and for their index. */
export function isConsolidated(name: string): boolean {
  return /^consolidated.*\.safetensors(?:\.index\.json)?$/.test(name);
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
