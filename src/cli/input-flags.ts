import { type Command, Option } from 'commander';
import { hubEndpointOf } from '../config/environment.js';
import { compact } from '../core/compact.js';
import type { PrefetchInput, ShardConfig } from '../core/contract.js';
import { PrefetchError } from '../core/errors.js';
import { collect, wholeNumber } from './flag-values.js';
import { checkInput } from './input-problems.js';
import type { InputOptions } from './invocation.js';
import { readRepoArgument } from './repo-argument.js';
import { GLOB_ADVICE } from './usage-error.js';
import { addShardFlags, shardConfigOf, type ShardFlags } from './shard-flags.js';

/** What commander gives for the flags of {@link addInputFlags}. */
export interface InputFlags extends ShardFlags {
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

/** Declares the flags that describe a model; those that do not change its workflow ID may be left out of the help. */
export function addInputFlags(command: Command, help: { readonly identityOnly?: boolean } = {}): Command {
  const hidden = help.identityOnly === true;
  const add = (group: string, options: readonly Option[]) => {
    command.optionsGroup(group);
    for (const option of options) command.addOption(option);
  };
  const hiding = (options: readonly Option[]) => options.map((option) => option.hideHelp(hidden));
  add('What to bring:', [...contentFlags(), ...hiding([tokenFlag()])]);
  add('Where to:', placeFlags());
  addShardFlags(command, { needed: false });
  add('Sharding:', [
    new Option('--shard-config <file>', 'YAML or JSON with all of these: engine, and args with tensor_parallel_size'),
    ...hiding(resourceFlags()),
  ]);
  add('Recorded in the manifest:', hiding(metadataFlags()));
  return command;
}

function contentFlags(): Option[] {
  return [
    new Option('--repo-type <type>', 'What REPO holds: model or dataset. Default: model').choices(['model', 'dataset']),
    new Option('--revision <revision>', 'Branch, tag or commit. Default: main'),
    new Option('--selection <files>', 'all: every file; vllm: what vLLM loads. Default: all').choices(['all', 'vllm']),
    new Option('--weights <layout>', 'hf or mistral, with selection vllm, where a repo has both. Default: hf').choices([
      'hf',
      'mistral',
    ]),
    new Option('--include <glob>', 'Take only files that match, such as "*.json"; repeatable').argParser(collect),
    new Option('--exclude <glob>', 'Leave out files that match; repeatable').argParser(collect),
    new Option('--force <number>', 'A new number is a new run that trusts no cache').argParser(wholeNumber),
  ];
}

function tokenFlag(): Option {
  return new Option(
    '--hf-token-key <name>',
    'NAME of the secret on the worker that holds the Hub token. Default: HF_TOKEN'
  );
}

function placeFlags(): Option[] {
  return [
    new Option('--artifact-name <name>', 'Folder in the store. Default: last part of REPO'),
    new Option(
      '--raw-data-path <url>',
      "Root of the destination, such as s3://bucket/models. Default: the worker's store"
    ),
  ];
}

function resourceFlags(): Option[] {
  return [
    new Option('--cpu <cores>', 'CPU for it, such as 32; or request and limit, "2, 4"'),
    new Option('--mem <size>', 'Memory for it, such as 256Gi'),
    new Option('--gpu <spec>', 'GPUs for it, MODEL:COUNT, such as A100:4'),
    new Option('--disk <size>', 'Disk for it, such as 500Gi'),
    new Option('--shm <size>', 'Shared memory for it, such as 16Gi. Default: auto'),
  ];
}

function metadataFlags(): Option[] {
  return [
    new Option('--architecture <name>', 'Such as LlamaForCausalLM'),
    new Option('--task <name>', 'Such as generate'),
    new Option('--modality <name>', 'Such as text; repeatable').argParser(collect),
    new Option('--format <name>', 'Such as safetensors'),
    new Option('--model-type <name>', 'Such as llama'),
    new Option('--short-description <text>', 'For people who look at it'),
  ];
}

/** The checked input of a command; fails as `InvalidInput` naming the flags that are out of shape. */
export function readInputFlags(argument: string, flags: InputFlags): InputOptions {
  const named = readRepoArgument(argument, hubEndpointOf);
  refuseOther('--revision', named.revision, flags.revision);
  refuseOther('--repo-type', named.repoType, flags.repoType);
  const shardConfig = readSharding(flags);
  const model = toInput(named.repo, { ...flags, ...compact({ revision: named.revision, repoType: named.repoType }) });
  const input = { ...model, ...(shardConfig === undefined ? {} : { shardConfig }) };
  checkInput(input, { sharding: '--tensor-parallel-size' });
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
  const file = rest.find((repo) => /^[^/]*\.[a-z]\w*$/i.test(repo));
  if (file !== undefined && (flags.include ?? flags.exclude) !== undefined) {
    throw new PrefetchError('InvalidInput', `REPO: ${JSON.stringify(file)} looks like a file.${GLOB_ADVICE}`);
  }
  const others = rest.map((repo) => readInputFlags(repo, flags));
  return { ...readInputFlags(first, flags), ...(others.length === 0 ? {} : { others }) };
}

/** Whether any flag that describes a model was given. */
export function hasInputFlags(flags: InputFlags): boolean {
  const given = Object.keys(toInput('', flags)).length > 1 || shardConfigOf(flags) !== undefined;
  return given || flags.shardConfig !== undefined;
}

/** One of the two says how to shard: with both, nobody could tell from the file which shards there will be. */
function readSharding(flags: InputFlags): ShardConfig | undefined {
  const shardConfig = shardConfigOf(flags);
  if (shardConfig === undefined) return undefined;
  const [first = 'engine'] = [
    ...(flags.engine === undefined ? [] : ['engine']),
    ...Object.keys(shardConfig.args ?? {}),
  ];
  const flag = `--${first.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  if (flags.shardConfig !== undefined) {
    throw new PrefetchError(
      'InvalidInput',
      `${flag}: the file of --shard-config says how to shard; leave one of them out`
    );
  }
  if (flags.tensorParallelSize === undefined) {
    throw new PrefetchError('InvalidInput', `${flag}: it is for shards; add --tensor-parallel-size, or leave it out`);
  }
  return shardConfig;
}

function refuseOther(flag: string, named: string | undefined, given: string | undefined): void {
  if (named === undefined || given === undefined || named === given) return;
  throw new PrefetchError('InvalidInput', `${flag}: REPO says ${JSON.stringify(named)} already; leave one of them out`);
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
