import { describe, expect, test } from 'vitest';
import { NEWEST_VERIFIED_VLLM } from '../../../src/core/vllm-releases.js';
import { isPrefetchError } from '../../../src/core/errors.js';
import { parseInput, parseKeptInput } from '../../../src/core/schemas/parse.js';
import { noteSecret } from '../../../src/core/secrets.js';

const repo = 'meta-llama/Llama-3.1-8B';

test('a repo alone is a complete input', () => {
  expect(parseInput({ repo })).toEqual({ repo, revision: 'main', selection: 'all', include: [], exclude: [] });
});

test('everything a caller may send is kept as it was sent', () => {
  const input = {
    repo,
    revision: 'refs/pr/12',
    selection: 'vllm',
    include: ['**/*.safetensors'],
    exclude: ['original/**'],
    hfTokenKey: 'HF_TOKEN_TEAM',
    artifactName: 'llama_3-1',
    rawDataPath: 's3://bucket/a b',
    force: 0,
    shardConfig: {
      engine: 'native',
      args: {
        tensorParallelSize: 4,
        dtype: 'bfloat16',
        maxModelLen: 4096,
        trustRemoteCode: true,
        filePattern: 'rank-{rank}-{part}.safetensors',
        maxFileSize: 1,
        vllmVersion: '0.31.1',
        device: 'cpu',
      },
    },
    resources: { cpu: '500m', memory: '1.5Gi', gpu: 'A100 80GB:4', disk: '500Gi', shm: '16Gi' },
    metadata: {
      architecture: 'llama',
      task: 'generate',
      modality: ['text'],
      format: 'safetensors',
      modelType: 'x',
      shortDescription: '',
    },
  };
  expect(parseInput(input)).toEqual(input);
});

test.each([
  ['user/_model', {}],
  ['_user/model', {}],
  ['_model', {}],
])('the repo %s, which the Hub allows, is one', (name) => {
  expect(parseInput({ repo: name }).repo).toBe(name);
});

test('null counts as left out at every level, as other languages write it', () => {
  const nulls = {
    repo,
    revision: null,
    include: null,
    resources: { cpu: null },
    shardConfig: { args: { filePattern: null } },
  };
  const { shardConfig, ...rest } = parseInput(nulls);
  expect(rest).toEqual(parseInput({ repo, resources: {} }));
  expect(shardConfig).toEqual(parseInput({ repo, shardConfig: {} }).shardConfig);
  expect(shardConfig?.args.filePattern).toBe('model-rank-{rank}-part-{part}.safetensors');
});

test.each([
  [{ cpu: '2, 4' }, { cpu: '2' }],
  [
    { cpu: '2,4', memory: ' 8Gi , 16Gi ' },
    { cpu: '2', memory: '8Gi' },
  ],
  [
    { disk: '50Gi,100Gi', shm: '16Gi' },
    { disk: '50Gi', shm: '16Gi' },
  ],
  [{ shm: 'auto' }, {}],
])('resources as Flyte writes them, %j, ask for the request: %j', (resources, asked) => {
  expect(JSON.parse(JSON.stringify(parseInput({ repo, resources }).resources))).toEqual(asked);
});

test.each(['2,', ',4', '2,4,8', 'auto', '2 4'])('%j is no quantity', (cpu) => {
  expect(() => parseInput({ repo, resources: { cpu } })).toThrow('resources.cpu: expected a quantity such as "32"');
});

test.each([
  [{ selection: 'vllm' }, 'selection: expected "all" for a dataset'],
  [{ shardConfig: {} }, 'shardConfig: a dataset cannot be sharded'],
])('a dataset with %j is refused', (fields, text) => {
  expect(() => parseInput({ repo, repoType: 'dataset', ...fields })).toThrow(text);
  expect(parseInput({ repo, repoType: 'dataset' }).repoType).toBe('dataset');
});

test('sharding has defaults for all', () => {
  expect(parseInput({ repo, shardConfig: { args: { tensorParallelSize: 2 } } }).shardConfig).toEqual({
    engine: 'auto',
    args: {
      tensorParallelSize: 2,
      dtype: 'auto',
      trustRemoteCode: false,
      filePattern: 'model-rank-{rank}-part-{part}.safetensors',
      maxFileSize: 5 * 1024 ** 3,
      vllmVersion: NEWEST_VERIFIED_VLLM,
    },
  });
});

test.each([
  ['null', null],
  ['an array', [{ repo }]],
  ['text', '{"repo":"a/b"}'],
  ['a number', 5],
  ['nothing', undefined],
])('refuses %s for an input', (_, value) => {
  expect(problemsOf(value)).toEqual([expect.stringMatching(/^input: /)]);
});

test.each([
  ['no owner', '/name'],
  ['no name', 'owner/'],
  ['three segments', 'a/b/c'],
  ['a URL', 'https://huggingface.co/a/b'],
  ['a parent folder', '../b'],
  ['two dots', 'a/b..c'],
  ['two dashes', 'a/b--c'],
  ['a space', 'a/b c'],
  ['a line end', 'a/b\n'],
  ['a NUL', 'a/b\u0000'],
  ['a query', 'a/b?x=1'],
  ['a percent sign', 'a/%2e%2e'],
  ['over 96 characters in a segment', `a/${'b'.repeat(97)}`],
  ['nothing', ''],
])('refuses a repo with %s', (_, value) => {
  expect(new Set(fieldsOf({ repo: value }))).toEqual(new Set(['repo']));
});

test.each([
  'a..b',
  'a b',
  'a~1',
  'a^',
  'a:b',
  'a?',
  'a*',
  'a[',
  'a\\b',
  'a\n',
  '\u007f',
  '',
  '\ud800',
  'x'.repeat(201),
])('refuses the revision %j', (revision) => {
  expect(new Set(fieldsOf({ repo, revision }))).toEqual(new Set(['revision']));
});

test.each(['main', 'v1.0', 'feature/ä#1', 'refs/pr/1', '100%', '😀', '0123456789abcdef0123456789abcdef01234567'])(
  'takes the revision %s',
  (revision) => {
    expect(parseInput({ repo, revision }).revision).toBe(revision);
  }
);

test.each([
  ['selection', { selection: 'weights' }],
  ['weights', { selection: 'vllm', weights: 'gguf' }],
  ['weights', { weights: 'hf' }],
  ['weights', { selection: 'all', weights: 'mistral' }],
  ['weights', { selection: 'vllm', weights: 'mistral', shardConfig: { args: { tensorParallelSize: 2 } } }],
  ['include', { include: '*.json' }],
  ['include.0', { include: [''] }],
  ['exclude.1', { exclude: ['a', 5] }],
  ['hfTokenKey', { hfTokenKey: 'HF TOKEN' }],
  ['artifactName', { artifactName: 'a.b' }],
  ['artifactName', { artifactName: 'a/b' }],
  ['rawDataPath', { rawDataPath: '/data' }],
  ['rawDataPath', { rawDataPath: 's3://bucket/\udfff' }],
  ['force', { force: true }],
  ['force', { force: 1.5 }],
  ['force', { force: -1 }],
  ['shardConfig.args', { shardConfig: { args: [] } }],
  ['shardConfig.args.tensorParallelSize', { shardConfig: { args: { tensorParallelSize: 0 } } }],
  ['shardConfig.args.filePattern', { shardConfig: { args: { tensorParallelSize: 1, filePattern: 'x.safetensors' } } }],
  [
    'shardConfig.args.filePattern',
    { shardConfig: { args: { tensorParallelSize: 1, filePattern: '../{rank}{part}.safetensors' } } },
  ],
  ['shardConfig.args.vllmVersion', { shardConfig: { args: { tensorParallelSize: 1, vllmVersion: 'latest' } } }],
  ['shardConfig.engine', { shardConfig: { engine: 'tgi', args: { tensorParallelSize: 1 } } }],
  ['resources.gpu', { resources: { gpu: 'A100:0' } }],
  ['resources.gpu', { resources: { gpu: 'A100:' } }],
  ['resources.memory', { resources: { memory: '256 GB' } }],
  ['metadata.modality.0', { metadata: { modality: [1] } }],
])('names the wrong field %s', (field, fields) => {
  expect(fieldsOf({ repo, ...fields })).toEqual([field]);
});

test.each([
  'model-rank-{rank}-part-{part}.safetensors',
  '{rank}_{part}.safetensors',
  '{part}-of-{rank}.safetensors',
  'ß {rank} 0x0 {part}.safetensors',
])('takes the file pattern %s', (filePattern) => {
  const { shardConfig } = parseInput({ repo, shardConfig: { args: { tensorParallelSize: 1, filePattern } } });
  expect(shardConfig?.args.filePattern).toBe(filePattern);
});

test.each([
  'model-{rank}.safetensors',
  'model-{part}.safetensors',
  '{rank}{part}.safetensors',
  '{part}{rank}.safetensors',
  'x{rank}0{part}.safetensors',
  'x-{rank}{rank}-{part}.safetensors',
  'x-{rank}-{part}-{size}.safetensors',
  'x-{{rank}}-{part}.safetensors',
  'x-{rank:03d}-{rank}-{part}.safetensors',
  '../{rank}-{part}.safetensors',
  'x-{rank}-{part}}.safetensors',
  'x[{rank}]-{part}.safetensors',
  'x*{rank}-{part}.safetensors',
  'x{rank}?{part}.safetensors',
  'x{rank}\n{part}.safetensors',
  'x-{rank}-{part}.bin',
])('refuses the file pattern %s', (filePattern) => {
  expect(fieldsOf({ repo, shardConfig: { args: { tensorParallelSize: 1, filePattern } } })).toEqual([
    'shardConfig.args.filePattern',
  ]);
});

test('refuses a file pattern that starts with the rank for more than ten of them', () => {
  const input = (filePattern: string, tensorParallelSize: number) => ({
    repo,
    shardConfig: { args: { tensorParallelSize, filePattern } },
  });
  expect(() => parseInput(input('{rank}_{part}.safetensors', 10))).not.toThrow();
  expect(() => parseInput(input('x{rank}_{part}.safetensors', 16))).not.toThrow();
  expect(problemsOf(input('{rank}_{part}.safetensors', 16))).toEqual([
    expect.stringMatching(/^shardConfig\.args\.filePattern: expected a character/),
  ]);
});

test('names every wrong field at once, and every unknown one', () => {
  const problems = problemsOf({ repo: 5, revison: 'v1', force: 'yes', resources: { gpus: 1 } });
  expect(problems.map((problem) => problem.split(':')[0]).sort()).toEqual([
    'force',
    'repo',
    'resources.gpus',
    'revison',
  ]);
  expect(problems).toContain('revison: unknown field');
});

test('fields named like parts of a prototype are unknown fields', () => {
  const input: unknown = JSON.parse('{"repo":"a/b","__proto__":{"force":1},"constructor":1,"toString":1}');
  expect(fieldsOf(input).sort()).toEqual(['__proto__', 'constructor', 'toString']);
});

test('no value shows in the message: it may be a secret in the wrong place', () => {
  const secret = 'hf_SecretSecretSecretSecret';
  const everywhere = {
    repo: secret + '/' + secret + '/' + secret,
    revision: `${secret}..`,
    selection: secret,
    include: secret,
    exclude: [[secret]],
    hfTokenKey: `${secret}!`,
    artifactName: `${secret}!`,
    rawDataPath: secret,
    force: secret,
    shardConfig: { engine: secret, args: { tensorParallelSize: secret, device: secret, vllmVersion: secret } },
    resources: { gpu: secret, memory: secret },
    metadata: { modality: secret, task: [secret] },
    password: secret,
  };
  const error = failureOf(everywhere);
  expect(JSON.stringify([error.message, error.details, String(error.cause)])).not.toContain('Secret');
  expect(fieldsOf(everywhere)).toEqual(
    expect.arrayContaining(['repo', 'include', 'exclude.0', 'shardConfig.engine', 'metadata.task', 'password'])
  );
});

describe('a token where the name of its secret belongs', () => {
  const token = 'hf_SecretSecretSecretSecret';

  test.each([token, 'Bearer Secret-token', 'api_org_SecretSecret', 'eyJSecret0000.eyJSecret.Secret'])(
    'is refused, says that a name is expected, and shows nowhere: %s',
    (hfTokenKey) => {
      const error = failureOf({ repo, hfTokenKey });
      expect(problemsOf({ repo, hfTokenKey })).toEqual([
        expect.stringMatching(/^hfTokenKey: expected the NAME of a secret on the worker/),
      ]);
      expect(JSON.stringify([error.message, error.details, String(error.cause)])).not.toContain('Secret');
    }
  );

  test('is refused when it has the shape of a name, but is a secret that this process uses', () => {
    expect(() => parseInput({ repo, hfTokenKey: 'in_house_token' })).not.toThrow();
    noteSecret('in_house_token');
    const { message } = failureOf({ repo, hfTokenKey: 'in_house_token' });
    expect(message).toContain('NAME of a secret');
    expect(message).not.toContain('in_house_token');
  });

  test('has to be revoked once it is in a history', () => {
    const kept = (hfTokenKey: string) => () => parseKeptInput({ repo, hfTokenKey });
    expect(kept(token)).toThrow(/^InvalidInput: hfTokenKey: expected the NAME .* revoke it/);
    expect(kept(token)).not.toThrow('Secret');
    expect(kept('HF TOKEN')).not.toThrow('revoke');
    expect(kept('hf_token_team')).not.toThrow();
  });
});

test('the message stays small, however wrong the input is', () => {
  const unknown = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`${'k'.repeat(1000)}${String(i)}`, 1]));
  const error = failureOf({ repo, ...unknown });
  expect(error.message.length).toBeLessThan(10_000);
  expect(error.message).toMatch(/and 19950 more$/);
});

function fieldsOf(value: unknown): string[] {
  return problemsOf(value).map((problem) => problem.slice(0, problem.indexOf(': ')));
}

function problemsOf(value: unknown): readonly string[] {
  const { problems } = failureOf(value).details;
  if (!Array.isArray(problems)) throw new Error('InvalidInput has no list of problems.');
  return problems.map(String);
}

function failureOf(value: unknown): { message: string; details: Readonly<Record<string, unknown>>; cause?: unknown } {
  try {
    parseInput(value);
  } catch (error) {
    if (isPrefetchError(error, 'InvalidInput')) return error;
    throw error;
  }
  throw new Error('parseInput took it.');
}

test('takes a layout of weights with selection vllm, and that of Hugging Face with shards too', () => {
  const asked = { repo, selection: 'vllm' } as const;
  expect(parseInput({ ...asked, weights: 'mistral' }).weights).toBe('mistral');
  const shardConfig = { args: { tensorParallelSize: 2 } };
  expect(parseInput({ ...asked, weights: 'hf', shardConfig }).weights).toBe('hf');
  expect(parseInput(asked)).not.toHaveProperty('weights');
});
