import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { dirSchema } from '../../../src/core/schemas/dir.js';
import { inputSchema } from '../../../src/core/schemas/input.js';
import { manifestSchema } from '../../../src/core/schemas/manifest.js';

const commit = '0123456789abcdef0123456789abcdef01234567';
const dir = {
  path: `s3://bucket/m/${commit}/`,
  artifactName: 'm',
  repo: 'a/m',
  revision: 'main',
  commit,
  format: 'huggingface',
  fileCount: 1,
  totalBytes: 5,
  manifestPath: `s3://bucket/m/${commit}/.prefetch/manifest.json`,
  manifestDigest: `sha256:${'0'.repeat(64)}`,
};
const file = { path: 'config.json', size: 5, gitSha1: commit };
const manifest = {
  version: 1,
  repo: 'a/m',
  revision: 'main',
  commit,
  artifactName: 'm',
  format: 'huggingface',
  selection: { kind: 'all', include: [], exclude: [] },
  tool: { name: 'temporal-model-prefetch', version: '0.1.0' },
  createdAt: '2026-01-01T00:00:00.000Z',
  fileCount: 1,
  totalBytes: 5,
  files: [file],
};

interface Published {
  readonly file: string;
  readonly schema: z.ZodType;
  readonly io: 'input' | 'output';
  readonly good: readonly unknown[];
  readonly bad: readonly unknown[];
}

const published: Published[] = [
  {
    file: 'prefetch-input.json',
    schema: inputSchema,
    io: 'input',
    good: [
      { repo: 'gpt2' },
      { repo: 'a/b', shardConfig: { engine: 'native' }, resources: { cpu: '2, 4', shm: 'auto' } },
      { repo: 'a/b', repoType: 'dataset' },
      { repo: 'a/b', revision: 'refs/pr/1', shardConfig: { args: { tensorParallelSize: 2 } }, force: 1 },
    ],
    bad: [
      null,
      [],
      'a/b',
      {},
      { repo: 'a/b/c' },
      { repo: 'a/b--c' },
      { repo: 'a/b', revision: 'a..b' },
      { repo: 'a/b', revison: 'x' },
      { repo: 'a/b', resources: { gpu: 'A100' } },
      { repo: 'a/b', repoType: 'space' },
      { repo: 'a/b', force: -1 },
    ],
  },
  {
    file: 'dir.json',
    schema: dirSchema,
    io: 'output',
    good: [
      dir,
      { ...dir, sharding: { engine: 'native', tensorParallelSize: 2, dtype: 'bfloat16', vllmVersion: '0.32.0' } },
    ],
    bad: [{}, { ...dir, commit: undefined }, { ...dir, format: 'gguf' }, { ...dir, fileCount: 1.5 }, { ...dir, x: 1 }],
  },
  {
    file: 'manifest.json',
    schema: manifestSchema,
    io: 'output',
    good: [manifest, { ...manifest, files: [{ path: 'w', size: 0, sha256: '0'.repeat(64), etag: '"x"' }] }],
    bad: [
      { ...manifest, version: 2 },
      { ...manifest, commit: 'main' },
      { ...manifest, files: [{ path: 'w', size: 0 }] },
      { ...manifest, files: [{ ...file, sha256: '0'.repeat(64) }] },
      { ...manifest, files: [{ ...file, size: -1 }] },
      { ...manifest, files: [{ ...file, path: '' }] },
    ],
  },
];

test.each(published)('schemas/$file says what the zod schema says', async ({ file, schema, io }) => {
  const { $id, title, ...rest } = await read(file);
  expect($id).toMatch(/^urn:temporal-model-prefetch:[a-z]+:1$/);
  expect(title).toEqual(expect.any(String));
  expect(rest).toEqual(z.toJSONSchema(schema, { target: 'draft-2020-12', io }));
});

test.each(published)(
  'schemas/$file takes and refuses what the zod schema does',
  async ({ file, schema, good, bad }) => {
    const validate = new Ajv2020({ strict: true, strictRequired: false }).compile(await read(file));
    for (const value of good) {
      expect(validate(value), `${JSON.stringify(value)} ${JSON.stringify(validate.errors)}`).toBe(true);
      expect(schema.safeParse(value).success, JSON.stringify(value)).toBe(true);
    }
    for (const value of bad) {
      const json: unknown = JSON.parse(JSON.stringify(value));
      expect(validate(json), JSON.stringify(value)).toBe(false);
      expect(schema.safeParse(json).success, JSON.stringify(value)).toBe(false);
    }
  }
);

test('every field of the input says what it is for', async () => {
  const { properties } = await read('prefetch-input.json');
  const described = Object.entries(z.record(z.string(), z.looseObject({})).parse(properties))
    .filter(([, field]) => typeof field['description'] === 'string')
    .map(([name]) => name);
  expect(described).toEqual(expect.arrayContaining(['repo', 'revision', 'hfTokenKey', 'rawDataPath', 'force']));
});

async function read(file: string): Promise<Record<string, unknown>> {
  const text = await readFile(new URL(`../../../schemas/${file}`, import.meta.url), 'utf8');
  return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
}
