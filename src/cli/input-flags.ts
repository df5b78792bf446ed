import { type Command, Option } from 'commander';
import { hubEndpointOf } from '../config/environment.js';
import { compact } from '../core/compact.js';
import type { PrefetchInput } from '../core/contract.js';
import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { parseInput } from '../core/schemas/parse.js';
import { collect, wholeNumber } from './flag-values.js';
import type { InputOptions } from './invocation.js';
import { readRepoArgument } from './repo-argument.js';

/** What commander gives for the flags of {@link addInputFlags}. */
export interface InputFlags {
  readonly repoType?: 'model' | 'dataset';
  readonly revision?: string;
  readonly selection?: 'all' | 'vllm';
  readonly weights?: 'hf' | 'mistral';
  readonly include?: string[];
  readonly exclude?: string[];
  readonly artifactName?: string;
  readonly rawDataPath?: string;
  readonly hfTokenKey?: string;
  readonly force?: number;
  readonly shardConfig?: string;
  readonly cpu?: string;
  readonly mem?: string;
  readonly gpu?: string;
  readonly disk?: string;
  readonly shm?: string;
  readonly architecture?: string;
  readonly task?: string;
  readonly modality?: string[];
  readonly format?: string;
  readonly modelType?: string;
  readonly shortDescription?: string;
}

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
  shardConfig: '--shard-config',
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

/** Declares the flags that describe a model; those that do not change its workflow ID may be left out of the help. */
export function addInputFlags(command: Command, help: { readonly identityOnly?: boolean } = {}): Command {
  for (const option of identityFlags()) command.addOption(option);
  for (const option of otherFlags()) command.addOption(option.hideHelp(help.identityOnly === true));
  return command;
}

function identityFlags(): Option[] {
  return [
    new Option('--repo-type <type>', 'What REPO holds. Default: model').choices(['model', 'dataset']),
    new Option('--revision <revision>', 'Branch, tag or commit. Default: main'),
    new Option('--selection <files>', 'all: every file; vllm: what vLLM loads. Default: all').choices(['all', 'vllm']),
    new Option('--weights <layout>', 'With selection vllm, where a repo has both. Default: hf').choices([
      'hf',
      'mistral',
    ]),
    new Option('--include <glob>', 'Take only files that match; may be given more than once').argParser(collect),
    new Option('--exclude <glob>', 'Leave out files that match; may be given more than once').argParser(collect),
    new Option('--artifact-name <name>', 'Folder in the store. Default: last part of REPO'),
    new Option(
      '--raw-data-path <url>',
      "Root of the destination, such as s3://bucket/models. Default: the worker's store"
    ),
    new Option('--force <number>', 'A new number is a new run that trusts no cache').argParser(wholeNumber),
    new Option('--shard-config <file>', 'YAML or JSON: engine, and args with tensor_parallel_size'),
  ];
}

function otherFlags(): Option[] {
  return [
    new Option('--hf-token-key <name>', 'NAME of the secret on the worker that holds the Hub token. Default: HF_TOKEN'),
    new Option('--cpu <cores>', 'CPU for sharding, such as 32; or request and limit, "2, 4"'),
    new Option('--mem <size>', 'Memory for sharding, such as 256Gi'),
    new Option('--gpu <spec>', 'GPUs for sharding, MODEL:COUNT, such as A100:4'),
    new Option('--disk <size>', 'Disk for sharding, such as 500Gi'),
    new Option('--shm <size>', 'Shared memory for sharding, such as 16Gi, or auto'),
    new Option('--architecture <name>', 'Recorded in the manifest, such as LlamaForCausalLM'),
    new Option('--task <name>', 'Recorded in the manifest, such as generate'),
    new Option('--modality <name>', 'Recorded in the manifest; may be given more than once').argParser(collect),
    new Option('--format <name>', 'Recorded in the manifest, such as safetensors'),
    new Option('--model-type <name>', 'Recorded in the manifest, such as llama'),
    new Option('--short-description <text>', 'Recorded in the manifest'),
  ];
}

/** The checked input of a command; fails as `InvalidInput` naming the flags that are out of shape. */
export function readInputFlags(argument: string, flags: InputFlags): InputOptions {
  const named = readRepoArgument(argument, hubEndpointOf);
  refuseOther('--revision', named.revision, flags.revision);
  refuseOther('--repo-type', named.repoType, flags.repoType);
  const input = toInput(named.repo, { ...flags, ...compact({ revision: named.revision, repoType: named.repoType }) });
  checkInput(input);
  return flags.shardConfig === undefined ? { input } : { input, shardConfigFile: flags.shardConfig };
}

/** The checked inputs of several models that share their flags; fails for a flag that only one model can have. */
export function readModels(
  repos: readonly string[],
  flags: InputFlags
): InputOptions & { readonly others?: readonly InputOptions[] } {
  const [first = '', ...rest] = repos;
  if (rest.length > 0 && flags.artifactName !== undefined) {
    throw new PrefetchError(
      'InvalidInput',
      '--artifact-name: it names the folder of one model; leave it out for several, or run a command for each'
    );
  }
  const others = rest.map((repo) => readInputFlags(repo, flags));
  return { ...readInputFlags(first, flags), ...(others.length === 0 ? {} : { others }) };
}

/** Whether any flag that describes a model was given. */
export function hasInputFlags(flags: InputFlags): boolean {
  return Object.keys(toInput('', flags)).length > 1 || flags.shardConfig !== undefined;
}

function refuseOther(flag: string, named: string | undefined, given: string | undefined): void {
  if (named === undefined || given === undefined || named === given) return;
  throw new PrefetchError('InvalidInput', `${flag}: REPO says ${JSON.stringify(named)} already; leave one of them out`);
}

/** Checks an input and reports wrong fields by their flags. */
function checkInput(input: PrefetchInput): void {
  try {
    parseInput(input);
  } catch (error) {
    const problems = isPrefetchError(error, 'InvalidInput') ? error.details['problems'] : undefined;
    if (!Array.isArray(problems)) throw error;
    throw new PrefetchError('InvalidInput', problems.map((problem) => withFlag(String(problem))).join('; '));
  }
}

function toInput(repo: string, flags: InputFlags): PrefetchInput {
  const { cpu, mem: memory, gpu, disk, shm } = flags;
  const { architecture, task, modality, format, modelType, shortDescription } = flags;
  const { repoType, revision, selection, weights, include, exclude, artifactName, rawDataPath, hfTokenKey, force } =
    flags;
  const resources = compact({ cpu, memory, gpu, disk, shm });
  const metadata = compact({ architecture, task, modality, format, modelType, shortDescription });
  return {
    repo,
    ...compact({
      repoType,
      revision,
      selection,
      weights,
      include,
      exclude,
      artifactName,
      rawDataPath,
      hfTokenKey,
      force,
    }),
    ...(Object.keys(resources).length > 0 ? { resources } : {}),
    ...(Object.keys(metadata).length > 0 ? { metadata } : {}),
  };
}

/** `resources.gpu: expected …` becomes `--gpu: expected …`; what is inside a shard config keeps its place in the file. */
function withFlag(problem: string): string {
  const field = Object.keys(FLAG_OF_FIELD).find(
    (name) => [':', '.'].includes(problem[name.length] ?? '') && problem.startsWith(name)
  );
  if (field === undefined) return problem;
  const place = problem.slice(field.length);
  const reason = place.slice(place.indexOf(':'));
  return field === 'shardConfig' && place.startsWith('.')
    ? `${FLAG_OF_FIELD[field] ?? field}: ${place.slice(1)}`
    : `${FLAG_OF_FIELD[field] ?? field}${reason}`;
}
