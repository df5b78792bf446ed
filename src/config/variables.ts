import { distance, nearestWord } from '../core/nearest-word.js';

/** Every variable of this package, as docs/configuration.md has them. */
export const VARIABLES = [
  'MODEL_PREFETCH_STORE',
  'MODEL_PREFETCH_ALLOWED_ROOTS',
  'MODEL_PREFETCH_SHARED_FILES',
  'MODEL_PREFETCH_HOME',
  'MODEL_PREFETCH_TASK_QUEUE',
  'MODEL_PREFETCH_PART_SIZE',
  'MODEL_PREFETCH_LANES',
  'MODEL_PREFETCH_MEMORY',
  'MODEL_PREFETCH_TRANSFER',
  'MODEL_PREFETCH_SCRATCH',
  'MODEL_PREFETCH_PYTHON',
  'MODEL_PREFETCH_VLLM_SILENCE',
  'MODEL_PREFETCH_TOKEN_KEYS',
  'MODEL_PREFETCH_SECRETS_DIR',
  'MODEL_PREFETCH_DATA_CONVERTER',
  'MODEL_PREFETCH_PLUGINS',
  'MODEL_PREFETCH_LOG',
  'MODEL_PREFETCH_LOG_LEVEL',
  'MODEL_PREFETCH_WORKER_CHECKS',
  'MODEL_PREFETCH_S3_SSE',
  'MODEL_PREFETCH_S3_SSE_KMS_KEY_ID',
  'MODEL_PREFETCH_S3_STORAGE_CLASS',
  'MODEL_PREFETCH_S3_EXPECTED_BUCKET_OWNER',
  'MODEL_PREFETCH_S3_REQUEST_PAYER',
  'MODEL_PREFETCH_S3_ADDRESSING_STYLE',
] as const;

/** Variables of others that are read here, and that nothing else has a name like. */
const OF_OTHERS = [
  ...['HF_ENDPOINT', 'HF_TOKEN', 'HF_TOKEN_PATH', 'HF_HOME'],
  ...['TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE', 'TEMPORAL_PROFILE', 'TEMPORAL_API_KEY'],
  ...['TEMPORAL_CONFIG_FILE', 'TEMPORAL_CLI_PATH', 'TEMPORAL_TLS'],
];

/** What Kubernetes sets for a service called `model-prefetch…`, and what the tests of this package read. */
const NOT_MEANT = /^MODEL_PREFETCH_(?:TEST_|(?:\w+_)?(?:SERVICE_(?:HOST|PORT)|PORT(?:$|_\d+_(?:TCP|UDP|SCTP))))/;

type Environment = Readonly<Record<string, string | undefined>>;

/** One line for each variable that looks like one of ours and is none: it changes nothing, and somebody thinks it does. */
export function unknownVariables(environment: Environment = process.env): string[] {
  const set = Object.keys(environment).filter((name) => environment[name]);
  return set.flatMap((name) => {
    if (!looksLikeOurs(name)) return ofOthers(name);
    return NOT_MEANT.test(name) ? [] : ofOurs(name);
  });
}

function looksLikeOurs(name: string): boolean {
  if (!/^MODEL/i.test(name)) return false;
  return /^MODEL_?PREFETCH_/i.test(name) || VARIABLES.some((variable) => distance(name, variable) <= 2);
}

function ofOurs(name: string): string[] {
  if (VARIABLES.some((variable) => variable === name)) return [];
  const nearest = nearestWord(
    name.replace(/^MODEL_?[A-Z]*?_/i, ''),
    VARIABLES.map((variable) => variable.slice('MODEL_PREFETCH_'.length))
  );
  const meant = nearest === undefined ? 'See docs/configuration.md' : `Did you mean MODEL_PREFETCH_${nearest}?`;
  return [`the variable ${name} is unknown, and ignored. ${meant}`];
}

/** Other tools have variables of that kind too: only one letter beside one that is read here is a mistake for certain. */
function ofOthers(name: string): string[] {
  if (!/^(?:HF|TEMPORAL)_/.test(name) || name.startsWith('HF_TOKEN') || OF_OTHERS.includes(name)) return [];
  const meant = OF_OTHERS.find((other) => distance(name, other) === 1);
  return meant === undefined ? [] : [`nothing reads the variable ${name}. Did you mean ${meant}?`];
}
