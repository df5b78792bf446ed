import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { unknownVariables, VARIABLES } from '../../src/config/variables.js';

const root = join(import.meta.dirname, '../..');

describe('VARIABLES', () => {
  it('is what the source reads, what docs/configuration.md has, and all that the deployments set', async () => {
    const known: readonly string[] = VARIABLES;
    const inSource = await namesIn(['src']);
    const inDocs = await namesIn(['docs/configuration.md']);
    const inUse = await namesIn(['docs', 'deploy', 'docker-compose.yml', 'Dockerfile', 'README.md', 'examples']);
    expect(inSource).toEqual([...known].sort());
    expect(inDocs).toEqual([...known].sort());
    expect(inUse.filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe('unknownVariables', () => {
  it.each([
    ['MODEL_PREFETCH_STOER', 'MODEL_PREFETCH_STORE'],
    ['MODEL_PREFETCH_LANE', 'MODEL_PREFETCH_LANES'],
    ['MODEL_PREFETCH_S3_STORAGECLASS', 'MODEL_PREFETCH_S3_STORAGE_CLASS'],
    ['MODEL_PREFECTH_STORE', 'MODEL_PREFETCH_STORE'],
    ['MODELPREFETCH_HOME', 'MODEL_PREFETCH_HOME'],
    ['model_prefetch_home', 'MODEL_PREFETCH_HOME'],
    ['TEMPORAL_ADRESS', 'TEMPORAL_ADDRESS'],
    ['HF_ENDPIONT', 'HF_ENDPOINT'],
  ])('warns of %s and names %s', (name, meant) => {
    const [line, ...more] = unknownVariables({ [name]: 'x' });
    expect(line).toContain(name);
    expect(line).toContain(`Did you mean ${meant}?`);
    expect(more).toEqual([]);
  });

  it('points to the docs where no name is near', () => {
    expect(unknownVariables({ MODEL_PREFETCH_FROBNICATION: 'x' })).toEqual([
      expect.stringContaining('docs/configuration.md'),
    ]);
  });

  it.each([
    ...VARIABLES,
    // What Kubernetes sets for services by the names model-prefetch and model-prefetch-worker.
    'MODEL_PREFETCH_SERVICE_HOST',
    'MODEL_PREFETCH_SERVICE_PORT_HTTP',
    'MODEL_PREFETCH_PORT',
    'MODEL_PREFETCH_PORT_80_TCP_ADDR',
    'MODEL_PREFETCH_WORKER_SERVICE_HOST',
    'MODEL_PREFETCH_WORKER_PORT_9090_TCP',
    ...[
      'MODEL_NAME',
      'HF_TOKEN_TEAM',
      'HF_TOKENS',
      'HF_HUB_CACHE',
      'TF_HOME',
      'TEMPORAL_TLS_SERVER_NAME',
      'TEMPORAL_ENV',
    ],
  ])('says nothing of %s', (name) => {
    expect(unknownVariables({ [name]: 'x' })).toEqual([]);
  });

  it('says nothing of what is set to nothing', () => {
    expect(unknownVariables({ MODEL_PREFETCH_STOER: '' })).toEqual([]);
  });
});

async function namesIn(places: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(places.map((place) => textOf(join(root, place))));
  const names = texts.join('\n').match(/MODEL_PREFETCH_[A-Z0-9_]*[A-Z0-9](?![A-Z0-9_])/g) ?? [];
  return [...new Set(names)].sort();
}

async function textOf(path: string): Promise<string> {
  try {
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile() && /\.(?:ts|md|ya?ml|mjs|json)$/.test(entry.name));
    return (await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), 'utf8')))).join('\n');
  } catch {
    return readFile(path, 'utf8');
  }
}
