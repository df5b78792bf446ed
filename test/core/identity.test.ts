import { describe, expect, test } from 'vitest';
import {
  artifactName,
  fileSelection,
  prefetchWorkflowId,
  sha256Hex,
  weightsAskedFor,
  withTrailingSlash,
} from '../../src/core/identity.js';
import { inputSchema, type PrefetchInput, type ShardConfig } from '../../src/core/schemas/input.js';
import { assertInput, parseInput } from '../../src/core/schemas/parse.js';

const idOf = prefetchWorkflowId;
const llama: PrefetchInput = { repo: 'meta-llama/Llama-3.1-8B' };

// These are in people's scripts, in running workflows and in other SDKs: a change here is a breaking change.
test.each<[string, PrefetchInput]>([
  ['prefetch/gpt2@main/4fbe9dcdbb00', { repo: 'gpt2' }],
  ['prefetch/meta-llama/Llama-3.1-8B@main/24d5f919ce15', llama],
  [
    'prefetch/meta-llama/Llama-3.1-8B@refs/pr/1/877535926bd4',
    {
      ...llama,
      revision: 'refs/pr/1',
      selection: 'vllm',
      include: ['*.json', '*.safetensors'],
      exclude: ['original/*'],
    },
  ],
  [
    'prefetch/meta-llama/Llama-3.1-8B@main/e0123b7b13d8',
    { ...llama, rawDataPath: 's3://bucket/models', artifactName: 'llama', force: 3 },
  ],
  [
    'prefetch/Qwen/Qwen3-0.6B@main/e1ee7e417ce9',
    { repo: 'Qwen/Qwen3-0.6B', shardConfig: { engine: 'native', args: { tensorParallelSize: 4 } } },
  ],
  ['prefetch/a/b@zweig/ä-日本/d83f1bc417b7', { repo: 'a/b', revision: 'zweig/ä-日本' }],
  [
    'prefetch/meta-llama/Llama-3.1-8B@8cde5ca8380496c9a6cc7ef3a8b46a0372a1d920/2c4b7cdbc6f7',
    { ...llama, revision: '8cde5ca8380496c9a6cc7ef3a8b46a0372a1d920' },
  ],
  ['prefetch/meta-llama/Llama-3.1-8B@main/24d5f919ce15', { ...llama, include: [], exclude: [] }],
  ['prefetch/meta-llama/Llama-3.1-8B@main/6d9d5a2599e8', { ...llama, force: 0 }],
  ['prefetch/meta-llama/Llama-3.1-8B@main/4c4fb4b63a1f', { ...llama, artifactName: 'llama' }],
  ['prefetch/meta-llama/Llama-3.1-8B@main/24d5f919ce15', { ...llama, repoType: 'model' }],
  ['prefetch/datasets/meta-llama/Llama-3.1-8B@main/cd709bbbb47d', { ...llama, repoType: 'dataset' }],
  ['prefetch/meta-llama/Llama-3.1-8B@main/a1d069202279', { ...llama, selection: 'vllm', weights: undefined }],
  ['prefetch/meta-llama/Llama-3.1-8B@main/84500854589c', { ...llama, selection: 'vllm', weights: 'hf' }],
  ['prefetch/meta-llama/Llama-3.1-8B@main/6a6e4fcf26db', { ...llama, selection: 'vllm', weights: 'mistral' }],
])('the ID %s never changes', (id, input) => {
  expect(idOf(input)).toBe(id);
});

test.each(Object.keys(inputSchema.shape).filter((field) => field !== 'repo'))(
  '%s: null counts as left out',
  (field) => {
    const value: unknown = JSON.parse(`{"repo": "gpt2", "${field}": null}`);
    assertInput(value);
    expect(idOf(value)).toBe(idOf({ repo: 'gpt2' }));
  }
);

test('null within a shard config counts as left out', () => {
  const value: unknown = JSON.parse('{"repo": "gpt2", "shardConfig": {"engine": null, "args": {"dtype": null}}}');
  assertInput(value);
  expect(idOf(value)).toBe(idOf({ repo: 'gpt2', shardConfig: {} }));
});

describe('the ID of a sharded model', () => {
  const sharded = (args: Partial<ShardConfig['args']>, engine?: ShardConfig['engine']): PrefetchInput => ({
    ...llama,
    shardConfig: { ...(engine === undefined ? {} : { engine }), args: { tensorParallelSize: 2, ...args } },
  });

  // What is left out stays what it stood for when the ID was first given, whatever its default is by now.
  test.each<[string, PrefetchInput]>([
    ['2dceffb05236', sharded({})],
    ['2dceffb05236', sharded({}, 'auto')],
    ['2dceffb05236', sharded({ vllmVersion: '0.32.0' })],
    ['2dceffb05236', sharded({ dtype: undefined, maxFileSize: undefined })],
    ['861d8216e8c2', sharded({}, 'vllm')],
    ['a449ad5475db', sharded({ vllmVersion: '0.28.0' })],
    ['edf6f2ae2e77', sharded({ dtype: 'float16' })],
    ['072273e2436e', sharded({ maxModelLen: 4096 })],
    ['861b2581ee72', sharded({ trustRemoteCode: true, device: 'cpu' }, 'vllm')],
    ['79a69e163333', sharded({ filePattern: 'r{rank}-{part}.safetensors' })],
    ['186de976265e', sharded({ maxFileSize: 1_073_741_824 })],
    ['881446844509', sharded({ pipelineParallelSize: 1, enableExpertParallel: false })],
  ])('ends in %s for good', (hash, input) => {
    expect(idOf(input)).toBe(`prefetch/meta-llama/Llama-3.1-8B@main/${hash}`);
  });
});

test.each<[string, PrefetchInput]>([
  ['repo', { repo: 'meta-llama/Llama-3.1-8b' }],
  ['revision', { ...llama, revision: 'v1' }],
  ['selection', { ...llama, selection: 'vllm' }],
  ['include', { ...llama, include: ['*.json'] }],
  ['exclude', { ...llama, exclude: ['*.json'] }],
  ['destination', { ...llama, rawDataPath: 's3://bucket/models' }],
  ['artifact name', { ...llama, artifactName: 'llama' }],
  ['sharding', { ...llama, shardConfig: { args: { tensorParallelSize: 2 } } }],
  ['force', { ...llama, force: 0 }],
])('another %s gives another ID', (_, input) => {
  expect(idOf(input)).not.toBe(idOf(llama));
});

test('no two different answers to the same question share an ID', () => {
  const ids = [
    idOf({ ...llama, selection: 'vllm' }),
    idOf({ ...llama, selection: 'vllm', weights: 'hf' }),
    idOf({ ...llama, selection: 'vllm', weights: 'mistral' }),
    idOf({ ...llama, include: ['a'] }),
    idOf({ ...llama, exclude: ['a'] }),
    idOf({ ...llama, force: 1 }),
    idOf({ ...llama, force: 11 }),
    idOf({ ...llama, shardConfig: { args: { tensorParallelSize: 1 } } }),
    idOf({ ...llama, shardConfig: { args: { tensorParallelSize: 1, maxModelLen: 1 } } }),
    idOf({ ...llama, shardConfig: { engine: 'vllm', args: { tensorParallelSize: 1 } } }),
  ];
  expect(new Set(ids).size).toBe(ids.length);
});

test.each<[string, PrefetchInput]>([
  ['the name of the token', { ...llama, hfTokenKey: 'HF_TOKEN_TEAM' }],
  ['the resources', { ...llama, resources: { cpu: '32', memory: '256Gi', gpu: 'A100:4' } }],
  ['the metadata', { ...llama, metadata: { task: 'generate', modality: ['text'] } }],
  ['a default that is spelled out', { ...llama, revision: 'main', selection: 'all', include: [], exclude: [] }],
  ['the default artifact name', { ...llama, artifactName: 'Llama-3-1-8B' }],
])('%s does not change the ID', (_, input) => {
  expect(idOf(input)).toBe(idOf(llama));
});

test('neither order nor doubles of globs, nor a slash after the destination, change the ID', () => {
  expect(idOf({ ...llama, include: ['b', 'a', 'b'], exclude: ['d', 'c'] })).toBe(
    idOf({ ...llama, include: ['a', 'b'], exclude: ['c', 'd', 'd'] })
  );
  expect(idOf({ ...llama, rawDataPath: 's3://bucket/models/' })).toBe(
    idOf({ ...llama, rawDataPath: 's3://bucket/models' })
  );
});

test('neither the order of fields nor a spelled-out sharding default changes the ID', () => {
  const short: PrefetchInput = { ...llama, shardConfig: { args: { tensorParallelSize: 2 } } };
  const long: PrefetchInput = {
    shardConfig: { args: { trustRemoteCode: false, dtype: 'auto', tensorParallelSize: 2 }, engine: 'auto' },
    ...llama,
  };
  expect(idOf(long)).toBe(idOf(short));
});

test.each(['c', 'ä', '日', '😀'])('an ID of "%s" repeated has whole characters and at most 255 bytes', (character) => {
  const repo = `${'a'.repeat(96)}/${'b'.repeat(96)}`;
  for (const shift of ['', 'x', 'xx', 'xxx']) {
    const revision = shift + character.repeat(Math.floor((200 - shift.length) / character.length));
    const id = idOf({ repo, revision });
    expect(Buffer.byteLength(id)).toBeLessThanOrEqual(255);
    expect(Buffer.byteLength(id)).toBeGreaterThan(255 - 4);
    expect(id).not.toMatch(/\p{Surrogate}/u);
    expect(id).toMatch(/^prefetch\/a+\/b+@.*\/[0-9a-f]{12}$/);
  }
});

test('IDs that were shortened to the same text still differ', () => {
  const repo = `${'a'.repeat(96)}/${'b'.repeat(96)}`;
  expect(idOf({ repo, revision: `${'c'.repeat(198)}1` })).not.toBe(idOf({ repo, revision: `${'c'.repeat(198)}2` }));
});

test.each([
  ['gpt2', undefined, 'gpt2'],
  ['meta-llama/Llama-3.1-8B', undefined, 'Llama-3-1-8B'],
  ['owner/a.b.c', undefined, 'a-b-c'],
  ['owner/name', 'mine', 'mine'],
])('the artifact of %s with the name %s is %s', (repo, name, expected) => {
  expect(artifactName(parseInput({ repo, ...(name === undefined ? {} : { artifactName: name }) }))).toBe(expected);
});

test('a file selection has sorted globs without doubles', () => {
  expect(fileSelection(parseInput({ repo: 'a/b', include: ['b', 'a', 'a'], exclude: ['z', 'y'] }))).toEqual({
    kind: 'all',
    include: ['a', 'b'],
    exclude: ['y', 'z'],
  });
});

test('text is hashed as UTF-8', () => {
  expect(sha256Hex('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  expect(sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(sha256Hex('ä')).not.toBe(sha256Hex('a'));
});

test('a URL gets one trailing slash', () => {
  expect(withTrailingSlash('s3://bucket')).toBe('s3://bucket/');
  expect(withTrailingSlash('s3://bucket/')).toBe('s3://bucket/');
});

test.each(['hf', 'mistral'] as const)('weights %s are known again by the globs that they leave out', (weights) => {
  const selection = fileSelection({ selection: 'vllm', include: [], exclude: ['*.md'], weights });
  expect(selection).toEqual({ kind: 'vllm', include: [], exclude: expect.arrayContaining(['*.md']) as string[] });
  expect(weightsAskedFor(selection)).toBe(weights);
  expect(weightsAskedFor({ ...selection, kind: 'all' })).toBeUndefined();
  expect(weightsAskedFor({ ...selection, exclude: ['*.md'] })).toBeUndefined();
});
