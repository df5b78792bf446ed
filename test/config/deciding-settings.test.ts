import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decidingSettings } from '../../src/config/deciding-settings.js';
import { readSettings } from '../../src/config/environment.js';
import { tmpFolder } from '../helpers/tmp.js';

type Variables = Readonly<Record<string, string>>;
type Asked = Parameters<typeof decidingSettings>[1];

const HERE = { HOME: '/home/me', HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' };
const S3 = { MODEL_PREFETCH_STORE: 's3://bucket/models' };

describe('decidingSettings', () => {
  it.each<[string, Variables, Variables]>([
    ['MODEL_PREFETCH_STORE (--store)', S3, { MODEL_PREFETCH_STORE: 's3://bucket/others' }],
    ['MODEL_PREFETCH_STORE (--store)', {}, { MODEL_PREFETCH_STORE: '/models' }],
    ['HF_ENDPOINT', {}, { HF_ENDPOINT: 'https://hub.example' }],
    ['HF_TOKEN', {}, { HF_TOKEN: 'hf_other' }],
    ['HF_TOKEN', { HF_TOKEN: 'hf_one' }, { HF_TOKEN: 'hf_other' }],
    ['AWS_SECRET_ACCESS_KEY', S3, { AWS_SECRET_ACCESS_KEY: 'x' }],
    ['AWS_PROFILE', S3, { AWS_PROFILE: 'team' }],
    ['AWS_ENDPOINT_URL_S3', S3, { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9000' }],
    ['MODEL_PREFETCH_S3_SSE', S3, { MODEL_PREFETCH_S3_SSE: 'AES256' }],
    ['HOME', S3, { HOME: '/home/you' }],
    ['HTTPS_PROXY', {}, { https_proxy: 'http://proxy.example:3128' }],
    ['NO_PROXY', { NO_PROXY: 'a' }, { NO_PROXY: 'b' }],
    ['NODE_EXTRA_CA_CERTS', {}, { NODE_EXTRA_CA_CERTS: '/etc/ca.pem' }],
  ])('names %s where that alone is different', async (name, common, other) => {
    expect(await different(common, other)).toEqual([name]);
  });

  it.each<[string, Variables, Variables]>([
    ['credentials of S3, where the store is a folder', {}, { AWS_PROFILE: 'team', MODEL_PREFETCH_S3_SSE: 'AES256' }],
    ['how much memory and how many lanes there are', S3, { MODEL_PREFETCH_MEMORY: '64MiB', MODEL_PREFETCH_LANES: '2' }],
    ['two spellings of one root', S3, { MODEL_PREFETCH_STORE: 's3://bucket/models/' }],
    ['two spellings of one Hub', {}, { HF_ENDPOINT: 'https://huggingface.co/' }],
    ['the spelling of a variable', { https_proxy: 'http://p:1' }, { HTTPS_PROXY: 'http://p:1' }],
    ['the pager and the retries of AWS', S3, { AWS_PAGER: '', AWS_MAX_ATTEMPTS: '3' }],
    ['variables that are empty', S3, { AWS_PROFILE: '', https_proxy: '' }],
    ['a token that the input does not ask for', {}, { HF_TOKEN_TEAM: 'hf_team' }],
  ])('does not tell apart by %s', async (_case, common, other) => {
    expect(await different(common, other)).toEqual([]);
  });

  it('looks at the token that an input names, wherever it lies, and at no store where the input names one', async () => {
    const folder = await tmpFolder();
    await mkdir(join(folder, 'a'));
    await writeFile(join(folder, 'a', 'HF_TOKEN_TEAM'), 'hf_team\n');
    const asked = { hfTokenKey: 'HF_TOKEN_TEAM', rawDataPath: 'file:///models' };
    const inFile = { MODEL_PREFETCH_SECRETS_DIR: join(folder, 'a') };
    expect(await different({}, { HF_TOKEN_TEAM: 'hf_team', ...S3 }, { asked, first: inFile })).toEqual([]);
    expect(await different({}, { HF_TOKEN_TEAM: 'hf_you' }, { asked, first: inFile })).toEqual(['HF_TOKEN_TEAM']);
    expect(await different({}, {}, { asked, first: inFile })).toEqual(['HF_TOKEN_TEAM']);
  });

  it('looks at the Python of vLLM where vLLM may shard', async () => {
    const other = { MODEL_PREFETCH_PYTHON: '/venv/bin/python' };
    expect(await different({}, other, { asked: { shardConfig: { engine: 'vllm' } } })).toEqual([
      'MODEL_PREFETCH_PYTHON',
    ]);
    expect(await different({}, other, { asked: { shardConfig: { engine: 'native' } } })).toEqual([]);
  });
});

/** The names under which two processes differ that have something in common. */
async function different(
  common: Variables,
  other: Variables,
  { asked = {}, first = {} }: { readonly asked?: Asked; readonly first?: Variables } = {}
): Promise<string[]> {
  const read = (variables: Variables) => {
    const environment = { ...HERE, ...variables };
    return decidingSettings(readSettings(environment), asked, environment);
  };
  const [one, two] = await Promise.all([read({ ...common, ...first }), read({ ...common, ...other })]);
  return [...new Set([...Object.keys(one), ...Object.keys(two)])].filter((name) => one[name] !== two[name]);
}
