import { expect, test } from 'vitest';
import { isPrefetchError } from '../../src/core/errors.js';
import { withoutSecretsInUse } from '../../src/core/secrets.js';
import { readProxies } from '../../src/http/proxies.js';

type Environment = Record<string, string>;
type Row = [title: string, environment: Environment, url: string, address: string | undefined, variable?: string];

const a = 'http://a.example:3128';
const b = 'http://b.example:3128';

const rows: Row[] = [
  ['no variable', {}, 'https://x.example/', undefined],
  ['HTTPS_PROXY', { HTTPS_PROXY: a }, 'https://x.example/', 'a.example:3128', 'HTTPS_PROXY'],
  ['https_proxy', { https_proxy: a }, 'https://x.example/', 'a.example:3128', 'https_proxy'],
  ['HTTPS_PROXY for http', { HTTPS_PROXY: a }, 'http://x.example/', undefined],
  ['HTTP_PROXY', { HTTP_PROXY: a }, 'http://x.example/', 'a.example:3128', 'HTTP_PROXY'],
  ['HTTP_PROXY for https', { HTTP_PROXY: a }, 'https://x.example/', undefined],
  ['HTTP_PROXY under CGI', { HTTP_PROXY: a, REQUEST_METHOD: 'GET' }, 'http://x.example/', undefined],
  ['http_proxy under CGI', { http_proxy: a, REQUEST_METHOD: 'GET' }, 'http://x.example/', 'a.example:3128'],
  ['small letters before capitals', { https_proxy: a, HTTPS_PROXY: b }, 'https://x.example/', 'a.example:3128'],
  ['empty small letters', { https_proxy: '', HTTPS_PROXY: b }, 'https://x.example/', undefined],
  ['empty capitals', { HTTPS_PROXY: '' }, 'https://x.example/', undefined],
  ['ALL_PROXY for https', { ALL_PROXY: a }, 'https://x.example/', 'a.example:3128', 'ALL_PROXY'],
  ['all_proxy for http', { all_proxy: a }, 'http://x.example/', 'a.example:3128', 'all_proxy'],
  ['HTTPS_PROXY before ALL_PROXY', { ALL_PROXY: a, HTTPS_PROXY: b }, 'https://x.example/', 'b.example:3128'],
  [
    'a SOCKS proxy that is not for it',
    { ALL_PROXY: 'socks5://s:1080', HTTPS_PROXY: b },
    'https://x/',
    'b.example:3128',
  ],
  ['NO_PROXY', { HTTPS_PROXY: a, NO_PROXY: 'x.example' }, 'https://x.example/', undefined],
  ['no_proxy', { ALL_PROXY: a, no_proxy: 'x.example' }, 'https://x.example/', undefined],
  ['no_proxy that is empty', { HTTPS_PROXY: a, no_proxy: '', NO_PROXY: 'x.example' }, 'https://x.example/', undefined],
  ['NO_PROXY for others', { HTTPS_PROXY: a, NO_PROXY: 'y.example' }, 'https://x.example/', 'a.example:3128'],
  ['no scheme', { HTTPS_PROXY: 'a.example:3128' }, 'https://x.example/', 'a.example:3128'],
  ['no port', { HTTPS_PROXY: 'http://a.example' }, 'https://x.example/', 'a.example:80'],
  ['https without port', { HTTPS_PROXY: 'https://a.example/' }, 'https://x.example/', 'a.example:443'],
  ['spaces around it', { HTTPS_PROXY: ` ${a}\n` }, 'https://x.example/', 'a.example:3128'],
  ['IPv6', { HTTPS_PROXY: 'http://[::1]:3128' }, 'https://x.example/', '[::1]:3128'],
];

test.each(rows)('%s', (_, environment, url, address, variable) => {
  const proxy = readProxies(environment)(new URL(url));
  expect(proxy?.address).toBe(address);
  if (variable !== undefined) expect(proxy?.variable).toBe(variable);
});

test.each([
  ['user%40corp:p%3Ass%2Fword%21', 'user@corp:p:ss/word!'],
  ['user:100%', 'user:100%'],
  ['user:', 'user:'],
  [':password', ':password'],
  ['user:p%C3%A4ss', 'user:päss'],
])('%s is sent as what it stands for', (credentials, plain) => {
  const proxy = readProxies({ HTTPS_PROXY: `http://${credentials}@a.example:3128` })(new URL('https://x.example/'));
  const [, encoded = ''] = /^Basic (.+)$/.exec(proxy?.headers['Proxy-Authorization'] ?? '') ?? [];
  expect(Buffer.from(encoded, 'base64').toString()).toBe(plain);
  expect(proxy?.address).toBe('a.example:3128');
});

test('a password of a proxy is a secret from then on', () => {
  readProxies({ HTTPS_PROXY: 'http://user:word-of-pass@a.example:3128' })(new URL('https://x.example/'));
  expect(withoutSecretsInUse('it is word-of-pass, Basic dXNlcjp3b3JkLW9mLXBhc3M=')).toBe('it is ***, Basic ***');
});

test.each([
  'socks5://user:top-secret@a.example:1080',
  'socks4a://user:top-secret@a.example:1080',
  'ftp://user:top-secret@a.example',
  'http://user:top-secret/x@a.example:3128',
  'http://user:top-secret#x@a.example:3128',
  'http://user:top-secret@a.example:99999',
  'http://user:top-secret@:3128',
  'http://user:top-secret@a b:3128',
  'http://',
])('%s is refused with one line that names the variable alone', (value) => {
  const choose = readProxies({ HTTPS_PROXY: value });
  expect(choose(new URL('http://x.example/'))).toBeUndefined();
  try {
    choose(new URL('https://x.example/'));
    expect.unreachable();
  } catch (error) {
    if (!isPrefetchError(error)) throw error;
    expect(error).toMatchObject({ code: 'InvalidInput', permanent: true, details: { variable: 'HTTPS_PROXY' } });
    expect(error.message).toMatch(/^InvalidInput: HTTPS_PROXY .*http:\/\/HOST:PORT/);
    expect(error.message).not.toMatch(/top-secret|a\.example|\n/);
  }
});
