import { z } from 'zod';
import { looksLikeToken } from '../foreign-text.js';
import { GiB } from '../units.js';
import { NEWEST_VERIFIED_VLLM } from '../vllm-releases.js';

/** A token in the place of a name; that of a commit looks like other tokens, and a repo may begin with hf_. */
const isHubToken = (text: string) =>
  /(?:^|\/)(?:hf_(?:oauth_|jwt_)?[A-Za-z0-9]{30,}|api_org_[A-Za-z0-9]{20,})$/.test(text);
const NO_TOKEN = 'this looks like a token of the Hub, which belongs on the worker, and no input may name';

const repo = z
  .string()
  .max(193)
  .regex(
    /^(?:\w[\w.-]{0,95}\/)?\w[\w.-]{0,95}$/,
    'expected "owner/name" as on the Hub, with letters, digits, ".", "_" and "-"; a revision and the type have fields of their own'
  )
  .regex(/^(?!.*(?:\.\.|--))/, 'a Hub repo has no ".." and no "--" in its name')
  .refine((name) => !isHubToken(name), NO_TOKEN);

const revision = z
  .string()
  .min(1)
  .max(200)
  // What git refuses in a ref, and what would leave the URL of a listing.
  // eslint-disable-next-line no-control-regex
  .regex(/^(?!.*\.\.)[^\s~^:?*[\\\u0000-\u001f\u007f]+$/, 'expected a branch, tag or commit, as git writes it')
  .refine(isWellFormed, 'expected well-formed Unicode')
  .refine((name) => !isHubToken(name), NO_TOKEN);

const EXPECTED_NAME = 'expected the NAME of a secret on the worker, such as HF_TOKEN, never the token itself';

const glob = z.string().min(1).max(1024);

const QUANTITY = String.raw`\d+(?:\.\d+)?(?:m|Ki|Mi|Gi|Ti|K|M|G|T)?`;

/** Flyte writes request and limit as "2, 4"; what a host has to have is the request. */
const quantity = (example: string, word = '') =>
  z
    .string()
    .regex(
      new RegExp(String.raw`^\s*(?:${QUANTITY}\s*(?:,\s*${QUANTITY}\s*)?${word})$`),
      `expected a quantity such as "${example}", or request and limit as "${example}, ${example}"`
    )
    .transform((text) => (text.split(',')[0] ?? text).trim());

/** GPUs of one host as `MODEL:COUNT`, or a bare count of any model; it names a queue. */
export const gpuSpec = z
  .string()
  .regex(/^(?:[A-Za-z0-9][A-Za-z0-9 ._-]{0,40}:)?[1-9]\d{0,2}$/, 'expected MODEL:COUNT such as "A100:4" or "L4:2"');

/** What the host of vLLM has to have; only `gpu` chooses a queue. */
export const resourcesSchema = z.strictObject({
  cpu: quantity('32').optional().describe('CPU cores, as in Kubernetes: "32"'),
  memory: quantity('256Gi').optional().describe('Memory: "256Gi"'),
  gpu: gpuSpec.optional().describe('GPUs that vLLM shards on, MODEL:COUNT: "A100:4"'),
  disk: quantity('500Gi').optional().describe('Ephemeral disk: "500Gi"'),
  shm: quantity('16Gi', '|auto')
    .transform((text) => (text === 'auto' ? undefined : text))
    .optional()
    .describe('Shared memory: "16Gi"; "auto" is whatever the host has'),
});

/** What callers say about a model; it is kept in the manifest and decides nothing. */
export const metadataSchema = z.strictObject({
  architecture: z.string().max(200).optional(),
  task: z.string().max(200).optional(),
  modality: z.array(z.string().max(100)).max(20).optional(),
  format: z.string().max(100).optional(),
  modelType: z.string().max(200).optional(),
  shortDescription: z.string().max(1000).optional(),
});

/** A vLLM release, or a commit of its main branch that was measured. */
export const vllmVersionSchema = z
  .string()
  .regex(/^(?:\d{1,4}\.\d{1,4}\.\d{1,4}|main-[0-9a-f]{10})$/, `expected a release such as "${NEWEST_VERIFIED_VLLM}"`);

/** How vLLM will load the shards, in the names of its own arguments. */
export const shardConfigSchema = z.strictObject({
  engine: z.enum(['vllm', 'native', 'auto']).default('auto'),
  args: z
    .strictObject({
      tensorParallelSize: z
        .number()
        .int()
        .min(1)
        .max(1024)
        .default(1)
        .describe('How many ranks the model is split into'),
      dtype: z.string().max(32).default('auto'),
      maxModelLen: z.number().int().min(1).optional(),
      trustRemoteCode: z.boolean().default(false),
      filePattern: z
        .string()
        .regex(
          // Two numbers that touch give two files one name; vLLM puts "*" for the part and looks with a glob.
          /^(?=.*\{rank\})(?=.*\{part\})(?!.*\}\d*\{)(?:[^{}\\/*?[\]\p{Cc}]|\{rank\}|\{part\})+\.safetensors$/u,
          'expected {rank} and {part} with more than digits between them, nothing of {}[]*?/\\ besides, and .safetensors'
        )
        .default('model-rank-{rank}-part-{part}.safetensors'),
      maxFileSize: z
        .number()
        .int()
        .min(1)
        .default(5 * GiB)
        .describe('Bytes of tensor data per file'),
      vllmVersion: vllmVersionSchema
        .default(NEWEST_VERIFIED_VLLM)
        .describe('Release of the vLLM that will load the shards'),
      device: z
        .enum(['gpu', 'cpu'])
        .optional()
        .describe('Where engine vllm runs; default: on GPUs where there are any'),
      pipelineParallelSize: z
        .number()
        .int()
        .min(1)
        .max(1024)
        .optional()
        .describe('1: shards know tensor parallelism only'),
      enableExpertParallel: z.boolean().optional().describe('false: shards know tensor parallelism only'),
    })
    .refine(({ filePattern, tensorParallelSize: ranks }) => ranks <= 10 || !/^\d*\{rank\}/.test(filePattern), {
      // On S3 vLLM looks for names that end so, and 1 is the end of 11.
      error: 'expected a character that is no digit before {rank}, for there are more than 10 ranks',
      path: ['filePattern'],
    })
    .prefault({}),
});

const inputFields = z.strictObject({
  repo: repo.describe('Repo on the Hub: "meta-llama/Llama-3.1-8B"'),
  repoType: z.enum(['model', 'dataset']).optional().describe('What the repo holds; default: a model'),
  revision: revision.default('main').describe('Branch, tag or commit'),
  selection: z
    .enum(['all', 'vllm'])
    .default('all')
    .describe('"all" takes every file; "vllm" what vLLM loads: weights in one format, and all but what is for others'),
  weights: z
    .enum(['hf', 'mistral'])
    .optional()
    .describe(
      'With selection "vllm", of a repo that has its weights in both layouts: "hf" takes model*.safetensors, ' +
        '"mistral" consolidated*.safetensors. Default: hf, where there are any. No shards are made of "mistral"'
    ),
  include: z.array(glob).max(200).default([]).describe('Globs over repo paths; a file must match one of them'),
  exclude: z.array(glob).max(200).default([]).describe('Globs over repo paths; a file must match none of them'),
  hfTokenKey: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/, { error: EXPECTED_NAME, abort: true })
    .refine((name) => !looksLikeToken(name), { error: `${EXPECTED_NAME}: this looks like one`, abort: true })
    .optional()
    .describe('Name of the secret on the worker that holds the Hub token; default HF_TOKEN. Never the token'),
  artifactName: z
    .string()
    .max(128)
    .regex(/^[a-zA-Z0-9_-]+$/, 'expected letters, digits, "_" and "-"')
    .optional()
    .describe('Name of the folder in the store; default: last segment of repo, "." as "-"'),
  rawDataPath: z
    .string()
    .max(1024)
    .regex(/^[a-z][a-z0-9+.-]*:\/\/./, 'expected a URL such as "s3://bucket/models" or "file:///data/models"')
    .refine(isWellFormed, 'expected well-formed Unicode')
    .refine((url) => !/^[^:]+:\/\/[^/]*@/.test(url), 'expected no user and no password: the worker has the credentials')
    .optional()
    .describe("Root of the destination; default: the worker's store"),
  force: z.number().int().min(0).optional().describe('A new number is a new run that trusts no cache'),
  shardConfig: shardConfigSchema.optional(),
  resources: resourcesSchema.optional(),
  metadata: metadataSchema.optional(),
});

/** The input of a prefetch; `schemas/` publishes it, and what it does not name is refused. */
export const inputSchema = inputFields
  .refine(({ repoType, selection }) => repoType !== 'dataset' || selection === 'all', {
    error: 'expected "all" for a dataset, which vLLM does not load',
    path: ['selection'],
  })
  .refine(({ repoType, shardConfig }) => repoType !== 'dataset' || shardConfig === undefined, {
    error: 'a dataset cannot be sharded: leave it out',
    path: ['shardConfig'],
  })
  .refine(({ weights, selection }) => weights === undefined || selection === 'vllm', {
    error: 'expected only with selection "vllm": "all" takes the weights in every layout',
    path: ['weights'],
  })
  .refine(({ weights, shardConfig }) => weights !== 'mistral' || shardConfig === undefined, {
    error: 'expected "hf", or nothing, with a shard config: shards are made of weights in the layout of Hugging Face',
    path: ['weights'],
  });

/** What a caller may send: only `repo` is required. */
export type PrefetchInput = z.input<typeof inputSchema>;
/** The same with every default filled in. */
export type ParsedInput = z.output<typeof inputSchema>;
/** The sharding that a caller asks for: what is left out has a default. */
export type ShardConfig = z.input<typeof shardConfigSchema>;
/** The same with every default filled in. */
export type ParsedShardConfig = z.output<typeof shardConfigSchema>;
/** Quantities as Kubernetes writes them. */
export type Resources = z.output<typeof resourcesSchema>;
/** What a caller says about a model, for people who look at its manifest. */
export type ModelMetadata = z.output<typeof metadataSchema>;

/** Half of a surrogate pair can be in JSON, but neither in a URL nor in a key. */
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
