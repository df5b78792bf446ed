import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { readTemporalProfile } from '../../src/worker/temporal-profile.js';
import { tmpFolder } from '../helpers/tmp.js';

beforeEach(async () => {
  for (const name of Object.keys(process.env)) if (name.startsWith('TEMPORAL_')) vi.stubEnv(name, undefined);
  vi.stubEnv('XDG_CONFIG_HOME', await tmpFolder());
});

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('the configuration of Temporal', () => {
  test.each(['ADDRESS', 'NAMESPACE', 'PROFILE', 'API_KEY', 'CONFIG_FILE', 'TLS', 'TLS_SERVER_NAME'])(
    'counts an empty TEMPORAL_%s as unset',
    (name) => {
      vi.stubEnv(`TEMPORAL_${name}`, '');
      expect(readTemporalProfile()).toMatchObject({ configured: false, address: 'localhost:7233' });
    }
  );

  test('reads what is there', () => {
    vi.stubEnv('TEMPORAL_ADDRESS', 'temporal.internal:7233');
    vi.stubEnv('TEMPORAL_NAMESPACE', 'models');
    expect(readTemporalProfile()).toMatchObject({
      configured: true,
      address: 'temporal.internal:7233',
      namespace: 'models',
    });
  });

  test.each(['', '# nothing yet\n'])(
    'takes a file without profiles for one that names no cluster: %j',
    async (text) => {
      const file = join(await tmpFolder(), 'temporal.toml');
      await writeFile(file, text);
      vi.stubEnv('TEMPORAL_CONFIG_FILE', file);
      expect(readTemporalProfile()).toMatchObject({ configured: false, address: 'localhost:7233' });
      vi.stubEnv('TEMPORAL_PROFILE', 'prod');
      expect(() => readTemporalProfile()).toThrow(/^InvalidInput: TEMPORAL_PROFILE.*"prod" is asked for/);
    }
  );

  test.each(['localhost', 'localhost:7233', '[::1]:7233', '10.0.0.1:7233'])('takes %s for an address', (address) => {
    vi.stubEnv('TEMPORAL_ADDRESS', address);
    expect(readTemporalProfile().address).toBe(address);
  });

  test.each([
    'https://host:7233',
    'http://host',
    'host:7233/path',
    'host:port',
    'host:',
    'host:0',
    'host:70000',
    'a b:1',
  ])('takes %s for none', (address) => {
    vi.stubEnv('TEMPORAL_ADDRESS', address);
    expect(() => readTemporalProfile()).toThrow(/^InvalidInput: TEMPORAL_ADDRESS, .*expected HOST:PORT/);
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['a profile that does not exist', { TEMPORAL_PROFILE: 'nope' }, /TEMPORAL_PROFILE.*'nope' not found/],
    ['a file that does not exist', { TEMPORAL_CONFIG_FILE: '/absent.toml' }, /TEMPORAL_CONFIG_FILE: \/absent\.toml/],
    ['a certificate without its key', { TEMPORAL_TLS_CLIENT_CERT_PATH: '/c' }, /only one of them is given/],
    ['an authority that does not exist', { TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/absent' }, /TEMPORAL_TLS_.*\/absent/],
  ])('tells %s by the variable', (_name, environment, expected) => {
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    expect(() => readTemporalProfile()).toThrow(/^InvalidInput: /);
    expect(() => readTemporalProfile()).toThrow(expected);
  });

  test('shows no line of a file that cannot be parsed, for keys stand there', async () => {
    const file = join(await tmpFolder(), 'temporal.toml');
    await writeFile(file, '[profile.default]\napi_key = "secret-of-mine" oops\n');
    vi.stubEnv('TEMPORAL_CONFIG_FILE', file);
    const read = () => readTemporalProfile();
    expect(read).toThrow(/^InvalidInput: .*temporal\.toml: Invalid TOML[^\n]*$/);
    expect(read).not.toThrow(/secret-of-mine/);
  });

  test('does not show an API key that is out of shape', () => {
    vi.stubEnv('TEMPORAL_API_KEY', 'key-of-mine\n');
    expect(() => readTemporalProfile()).toThrow(/^InvalidInput: TEMPORAL_API_KEY: (?!.*key-of-mine)/);
  });
});
