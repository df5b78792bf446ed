import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { noteEnvironmentSecrets, readLoginToken, readToken } from '../../src/config/secrets.js';
import { withoutSecrets } from '../../src/core/foreign-text.js';
import { tmpFolder } from '../helpers/tmp.js';

const SETTINGS = { tokenKeys: ['HF_TOKEN', 'HF_TOKEN_*'], secretsFolders: [] };

describe('readToken', () => {
  test('reads the environment variable of the name', async () => {
    expect(await readToken('HF_TOKEN_TEAM', SETTINGS, { HF_TOKEN_TEAM: ' hf_team\n' })).toBe('hf_team');
    expect(await readToken(undefined, SETTINGS, { HF_TOKEN: 'hf_default' })).toBe('hf_default');
  });

  test('reads the file of the name in a secrets folder', async () => {
    const folder = await tmpFolder();
    await writeFile(join(folder, 'HF_TOKEN_TEAM'), 'hf_from_file\n');
    const settings = { ...SETTINGS, secretsFolders: [join(folder, 'absent'), folder] };
    expect(await readToken('HF_TOKEN_TEAM', settings, {})).toBe('hf_from_file');
  });

  test('is anonymous when the default token is missing, but not when a named one is', async () => {
    expect(await readToken(undefined, SETTINGS, {})).toBeUndefined();
    expect(await readToken('HF_TOKEN', SETTINGS, { HF_TOKEN: '' })).toBeUndefined();
    await expect(readToken('HF_TOKEN_TEAM', SETTINGS, {})).rejects.toMatchObject({ code: 'TokenNotFound' });
  });

  test.each(['AWS_SECRET_ACCESS_KEY', 'PATH', 'XHF_TOKEN', 'HF_TOKENS', 'HF-TOKEN_A'])(
    'gives out no secret named %s',
    async (name) => {
      const reading = readToken(name, SETTINGS, { [name]: 'top-secret' });
      await expect(reading).rejects.toMatchObject({ code: 'TokenNotAllowed' });
      await expect(reading).rejects.not.toThrow('top-secret');
    }
  );

  test('gives out no file outside of its secrets folders', async () => {
    const folder = await tmpFolder();
    await mkdir(join(folder, 'secrets'));
    await writeFile(join(folder, 'private'), 'top-secret');
    const settings = { ...SETTINGS, secretsFolders: [join(folder, 'secrets')] };
    const reading = readToken('HF_TOKEN_X/../../private', settings, {});
    await expect(reading).rejects.toMatchObject({ code: 'TokenNotAllowed' });
  });

  test('refuses a secret that is no token, without telling it', async () => {
    const reading = readToken('HF_TOKEN', SETTINGS, { HF_TOKEN: 'two words' });
    await expect(reading).rejects.toMatchObject({ code: 'InvalidToken' });
    await expect(reading).rejects.not.toThrow('two words');
  });

  test('fails for a secret file that cannot be read', async () => {
    const folder = await tmpFolder();
    await mkdir(join(folder, 'HF_TOKEN_TEAM'));
    const settings = { ...SETTINGS, secretsFolders: [folder] };
    await expect(readToken('HF_TOKEN_TEAM', settings, {})).rejects.toMatchObject({ code: 'TokenNotFound' });
  });
});

describe('readLoginToken', () => {
  test.each([
    ['HF_TOKEN_PATH', 'somewhere/file', (root: string) => ({ HF_TOKEN_PATH: join(root, 'somewhere/file') })],
    ['HF_HOME', 'hf/token', (root: string) => ({ HF_HOME: join(root, 'hf') })],
    ['XDG_CACHE_HOME', 'huggingface/token', (root: string) => ({ XDG_CACHE_HOME: root })],
    ['HOME', '.cache/huggingface/token', (root: string) => ({ HOME: root })],
    ['a path below HOME', 'mine/token', (root: string) => ({ HOME: root, HF_HOME: '~/mine' })],
  ])('reads the file that hf auth login wrote, found by %s', async (_by, file, environment) => {
    const root = await tmpFolder();
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), 'hf_of_login\n');
    expect(await readLoginToken(environment(root))).toBe('hf_of_login');
  });

  test('takes the variable of early releases before the file, and neither where the user forbids it', async () => {
    const HOME = await tmpFolder();
    const environment = { HOME, HUGGING_FACE_HUB_TOKEN: ' hf_of_variable\n' };
    expect(await readLoginToken(environment)).toBe('hf_of_variable');
    expect(await readLoginToken({ ...environment, HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).toBeUndefined();
    expect(await readLoginToken({ HOME })).toBeUndefined();
  });

  test('refuses a file that holds no token, naming it and not what is in it', async () => {
    const HF_TOKEN_PATH = join(await tmpFolder(), 'token');
    await writeFile(HF_TOKEN_PATH, 'two words');
    const reading = readLoginToken({ HF_TOKEN_PATH });
    await expect(reading).rejects.toMatchObject({ code: 'InvalidToken' });
    await expect(reading).rejects.toThrow(HF_TOKEN_PATH);
    await expect(reading).rejects.not.toThrow('two words');
  });
});

test('what was read as a token is in no text of others any more', async () => {
  const folder = await tmpFolder();
  await writeFile(join(folder, 'HF_TOKEN_FILE'), 'read-from-a-file\n');
  await readToken('HF_TOKEN_FILE', { ...SETTINGS, secretsFolders: [folder] }, {});
  noteEnvironmentSecrets({ AWS_SESSION_TOKEN: 'read-from-aws', HF_TOKEN_A: ' read-as-token ', PATH: 'read-as-path' });
  expect(withoutSecrets('read-from-a-file read-from-aws read-as-token read-as-path')).toBe('*** *** *** read-as-path');
});

test('the password of a proxy is a secret from the start, plain and as it is sent', () => {
  noteEnvironmentSecrets({
    HTTPS_PROXY: 'http://someone:first%40word@proxy.example:3128',
    http_proxy: 'someone:second-word@proxy.example:3128',
    all_proxy: 'socks5://someone:third-word@proxy.example',
    NO_PROXY: 'example.com',
  });
  const header = Buffer.from('someone:first@word').toString('base64');
  expect(withoutSecrets(`first@word first%40word second-word third-word ${header} example.com`)).toBe(
    '*** *** *** *** *** example.com'
  );
});
