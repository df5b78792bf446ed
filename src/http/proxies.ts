import { isIPv6 } from 'node:net';
import { PrefetchError } from '../core/errors.js';
import { foreignText } from '../core/foreign-text.js';
import { noteProxySecrets, readProxyUrl, type ProxyUrl } from '../core/proxy-url.js';
import { readNoProxy } from './no-proxy.js';

/** The proxy that a request takes. */
export interface Proxy extends ProxyUrl {
  /** Host and port, for messages; never its user. */
  readonly address: string;
  /** The variable that names it. */
  readonly variable: string;
  /** What it is told about who asks. */
  readonly headers: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string | undefined>>;
type ChooseProxy = (url: URL) => Proxy | undefined;

const schemes = ['http', 'https', 'all'] as const;
let current: { readonly variables: string; readonly choose: ChooseProxy } | undefined;

/** The proxy of a URL, by the variables of this process; fails as `InvalidInput` where such a variable is out of shape. */
export function proxyFor(url: URL): Proxy | undefined {
  const { env } = process;
  const variables = JSON.stringify([env['REQUEST_METHOD'], ...[...schemes, 'no'].map((name) => spellings(env, name))]);
  if (current?.variables !== variables) current = { variables, choose: readProxies(env) };
  return current.choose(url);
}

/** Reads the variables as curl and Python do; one that is out of shape fails where it would be used. */
export function readProxies(environment: Environment): ChooseProxy {
  const goesDirectly = readNoProxy(spellings(environment, 'no').find(({ value }) => value !== '')?.value ?? '');
  const known = new Map(schemes.map((scheme) => [`${scheme}:`, proxyOf(environment, scheme)]));
  return (url) => {
    const find = known.get(url.protocol) ?? known.get('all:');
    return find === undefined || goesDirectly(url) ? undefined : find();
  };
}

interface Variable {
  readonly name: string;
  readonly value: string;
}

/** A variable as it is set, in small letters first. */
function spellings(environment: Environment, scheme: string): Variable[] {
  const small = `${scheme}_proxy`;
  return [small, small.toUpperCase()].flatMap((name) => {
    const value = environment[name]?.trim();
    // Under CGI a client sets HTTP_PROXY: it is a header of its request.
    if (value === undefined || (name === 'HTTP_PROXY' && environment['REQUEST_METHOD'] !== undefined)) return [];
    return [{ name, value }];
  });
}

/** As in Python, a variable in small letters that is empty turns off the one in capital letters. */
function proxyOf(environment: Environment, scheme: (typeof schemes)[number]): (() => Proxy) | undefined {
  const [set] = spellings(environment, scheme);
  if (set === undefined || set.value === '') return undefined;
  let proxy: Proxy | undefined;
  return () => (proxy ??= describeProxy(set));
}

function describeProxy({ name, value }: Variable): Proxy {
  const url = readProxyUrl(value);
  if (url === undefined) {
    throw badVariable(name, 'is no URL of a proxy: user and password in it must be percent-encoded');
  }
  if (!/^https?:$/.test(url.protocol)) {
    throw badVariable(name, `names a proxy for ${foreignText(url.protocol, 20)}//, which is not supported`);
  }
  noteProxySecrets(url);
  const { user, password, host, port } = url;
  const credentials = Buffer.from(`${user}:${password}`).toString('base64');
  return {
    ...url,
    address: hostAndPort(host, port),
    variable: name,
    headers: user === '' && password === '' ? {} : { 'Proxy-Authorization': `Basic ${credentials}` },
  };
}

/** A host and its port as they stand in a URL. */
export function hostAndPort(host: string, port: number | string): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

function badVariable(name: string, problem: string): PrefetchError {
  return new PrefetchError(
    'InvalidInput',
    `${name} ${problem}. Expected http://HOST:PORT or https://HOST:PORT, or nothing; NO_PROXY names hosts without a proxy`,
    { details: { variable: name } }
  );
}
