import type { PrefetchInput } from '../core/contract.js';
import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { parseInput } from '../core/schemas/parse.js';

/** Which flag fills which field of the input: a wrong field is reported by the flag that the user typed. */
const FLAG_OF_FIELD: Readonly<Record<string, string>> = {
  repo: 'REPO',
  repoType: '--repo-type',
  revision: '--revision',
  selection: '--selection',
  weights: '--weights',
  include: '--include',
  exclude: '--exclude',
  artifactName: '--artifact-name',
  rawDataPath: '--raw-data-path',
  hfTokenKey: '--hf-token-key',
  force: '--force',
  'shardConfig.engine': '--engine',
  'shardConfig.args.tensorParallelSize': '--tensor-parallel-size',
  'shardConfig.args.dtype': '--dtype',
  'shardConfig.args.maxFileSize': '--max-file-size',
  'shardConfig.args.filePattern': '--file-pattern',
  'shardConfig.args.vllmVersion': '--vllm-version',
  'shardConfig.args.maxModelLen': '--max-model-len',
  'shardConfig.args.device': '--device',
  'resources.cpu': '--cpu',
  'resources.memory': '--mem',
  'resources.gpu': '--gpu',
  'resources.disk': '--disk',
  'resources.shm': '--shm',
  'metadata.architecture': '--architecture',
  'metadata.task': '--task',
  'metadata.modality': '--modality',
  'metadata.format': '--format',
  'metadata.modelType': '--model-type',
  'metadata.shortDescription': '--short-description',
};

/** Checks an input and reports wrong fields by their flags; `sharding` is the flag that asked for shards. */
export function checkInput(input: PrefetchInput, { sharding }: { readonly sharding: string }): void {
  try {
    parseInput(input);
  } catch (error) {
    const problems = isPrefetchError(error, 'InvalidInput') ? error.details['problems'] : undefined;
    if (!Array.isArray(problems)) throw error;
    const told = problems.map((problem) => inFlags(String(problem)).replace(/^shardConfig(?=:)/, sharding));
    throw new PrefetchError('InvalidInput', told.join('; '));
  }
}

/** `resources.gpu: expected …` becomes `--gpu: expected …`, and `include.0: expected …` is one of `--include`. */
export function inFlags(problem: string): string {
  const field = Object.keys(FLAG_OF_FIELD).find(
    (name) => [':', '.'].includes(problem[name.length] ?? '') && problem.startsWith(name)
  );
  if (field === undefined) return problem;
  return `${FLAG_OF_FIELD[field] ?? field}${problem.slice(problem.indexOf(':'))}`;
}
