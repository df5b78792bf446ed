/** Why `selection: vllm` leaves a file out; people read it in the plan. */
export type LeftOutReason =
  | 'weights in another format'
  | 'weights or files of other programs'
  | 'state of a training'
  | 'pictures, sound, documents, data sets or archives'
  | 'hidden files';

/** Folders and names of files that nothing in vLLM reads, whatever the model; docs/selection.md says who says so. */
const RULES: readonly { readonly why: LeftOutReason; readonly folder: RegExp; readonly name: RegExp }[] = [
  { why: 'hidden files', folder: /^\./, name: /^\./ },
  {
    why: 'state of a training',
    folder: /^(?:runs|wandb|tensorboard|checkpoint-\d+|global_step\d+)$/i,
    name: new RegExp(
      [
        String.raw`^(?:training_args|optimizer|scheduler|scaler|random_states|rng_state)[^/]*\.(?:bin|pt|pth|pkl)$`,
        // vLLM looks at the end of the name.
        String.raw`(?:training_args\.bin|optimizer\.bin|optimizer\.pt|scheduler\.pt|scaler\.pt)$`,
        String.raw`_(?:model|optim)_states\.pt$`,
        String.raw`^trainer_state\.json$`,
        String.raw`^events\.out\.tfevents`,
      ].join('|')
    ),
  },
  {
    why: 'weights or files of other programs',
    folder: new RegExp(
      '^(?:original|onnx|openvino|coreml|gguf|ggml|mlx|metal|tflite|tensorrt|tensorrt_llm|saved_model)$' +
        String.raw`|\.(?:mlpackage|mlmodelc)$`,
      'i'
    ),
    name: new RegExp(
      [
        String.raw`^(?:tf_model|flax_model|rust_model|openvino|ggml)`,
        String.raw`\.(?:pth|gguf|ggml|llamafile|h5|hdf5|keras|pb|tflite|litertlm|task|msgpack|ot|mlmodel)$`,
        String.raw`\.(?:engine|plan|trt|nemo|pdparams|pdiparams|pdmodel|tensors|distcp|pte|dduf)$`,
        String.raw`\.onnx(?:[._].*)?$`,
        String.raw`\.ckpt(?:[.-].*)?$`,
        // Weights of MLX and of NumPy; what else ends so may be a vocabulary.
        String.raw`^(?:weights|model)[^/]*\.(?:npz|pkl)$`,
      ].join('|'),
      'i'
    ),
  },
  {
    why: 'pictures, sound, documents, data sets or archives',
    folder: /(?!)/,
    name: new RegExp(
      [
        String.raw`\.(?:png|jpe?g|gif|webp|svg|bmp|ico|avif|mp3|mp4|wav|flac|ogg|m4a|mov|avi|mkv|webm)$`,
        String.raw`\.(?:pdf|ipynb|parquet|arrow|zip|tgz|7z|rar|tar(?:\.[a-z0-9]+)?)$`,
      ].join('|'),
      'i'
    ),
  },
];

/** Why a file is for others than vLLM, whatever lies beside it; undefined for one that vLLM may read. */
export function isForOthers(path: string): LeftOutReason | undefined {
  const folders = path.split('/');
  const name = folders.pop() ?? '';
  return RULES.find((rule) => rule.name.test(name) || folders.some((folder) => rule.folder.test(folder)))?.why;
}
