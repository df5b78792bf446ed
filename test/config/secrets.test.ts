import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { noteEnvironmentSecrets, readToken } from '../../src/config/secrets.js';
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
