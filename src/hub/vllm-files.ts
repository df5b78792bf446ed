/** All that decides whether vLLM loads a file. */
interface NamedFile {
  readonly path: string;
}

/** What vLLM loads: weights in the first of these formats that is there, and all that describes the model. */
export function vllmFiles<T extends NamedFile>(files: readonly T[]): T[] {
  const candidates = files.filter(({ path }) => !isForOthers(path));
  const formats = new Map<string, WeightsFormat | undefined>();
  const formatOf = (path: string): WeightsFormat | undefined => {
    const group = groupOf(path);
    if (!formats.has(group))
      formats.set(group, chooseFormat(candidates.filter((file) => groupOf(file.path) === group)));
    return formats.get(group);
  };
  return candidates.filter(({ path }) => {
    const format = weightsFormat(path);
    if (format !== undefined) return format === formatOf(path);
    const indexed = indexedFormat(path);
    if (indexed !== undefined) return indexed === formatOf(path);
    return describesModel(path);
  });
}

/** True for weights in any format at all, those of other programs too. */
export function isWeights(path: string): boolean {
  return /\.(safetensors|bin|pt|pth|ckpt|gguf|ggml|onnx|h5|msgpack|ot|mlmodel|tflite|engine)$/.test(baseName(path));
}

const formatOrder = ['safetensors', 'bin', 'consolidated', 'pt'] as const;
type WeightsFormat = (typeof formatOrder)[number];

/** vLLM reads a sentence-transformers module such as `2_Dense/` by itself; all other folders go with the root. */
function groupOf(path: string): string {
  return /^\d+_[A-Za-z]+(?=\/)/.exec(path)?.[0] ?? '';
}

/** Weights at the top decide, as in vLLM; where there are none, those below do. */
function chooseFormat(files: readonly NamedFile[]): WeightsFormat | undefined {
  const formats = (paths: readonly NamedFile[]) => new Set(paths.map(({ path }) => weightsFormat(path)));
  const top = formats(files.filter(({ path }) => !path.includes('/')));
  const all = formats(files);
  return formatOrder.find((format) => top.has(format)) ?? formatOrder.find((format) => all.has(format));
}

function weightsFormat(path: string): WeightsFormat | undefined {
  const name = baseName(path);
  if (/^consolidated.*\.safetensors$/.test(name)) return 'consolidated';
  if (name.endsWith('.safetensors')) return 'safetensors';
  if (isTrainingState(name)) return undefined;
  if (name.endsWith('.bin')) return 'bin';
  return name.endsWith('.pt') ? 'pt' : undefined;
}

function indexedFormat(path: string): WeightsFormat | undefined {
  const name = baseName(path);
  if (!name.endsWith('.index.json')) return undefined;
  return weightsFormat(path.slice(0, -'.index.json'.length));
}

function isTrainingState(name: string): boolean {
  return /^(training_args|optimizer|scheduler|scaler|random_states|rng_state)[^/]*\.(bin|pt)$/.test(name);
}

/** Folders and files of other programs. */
function isForOthers(path: string): boolean {
  const folders = path.split('/').slice(0, -1);
  if (
    folders.some((folder) => /^(original|onnx|openvino|coreml|gguf|tflite|tensorrt|runs|checkpoint-\d+)$/i.test(folder))
  ) {
    return true;
  }
  const name = baseName(path);
  return /^(tf_model|flax_model|rust_model|openvino|ggml)/.test(name) || /^consolidated.*\.pth$/.test(name);
}

/** Config, tokenizer, vocabulary, templates, processors, remote code, and text for people. */
function describesModel(path: string): boolean {
  const name = baseName(path);
  return (
    /\.(json|jsonl|py|jinja|txt|model|tiktoken|vocab|spm|bpe|yaml|yml|md|rst)$/.test(name) ||
    /^(LICEN[CS]E|NOTICE|README|USE_POLICY|vocab|merges)(\.|$)/i.test(name)
  );
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
