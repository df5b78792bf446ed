import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request as requestPlain, type Agent, type RequestListener, type RequestOptions } from 'node:http';
import { createServer as createSecureServer, request as requestSecure } from 'node:https';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { isPrefetchError } from '../../src/core/errors.js';
import { closeIdleSockets } from '../../src/http/agents.js';
import { getRange } from '../../src/http/get-range.js';
import { createAgents } from '../../src/http/proxy-agents.js';
import { putBytes } from '../../src/http/put-bytes.js';
import { openHub } from '../../src/hub/open-hub.js';
import { openStore } from '../../src/storage/index.js';
import { makeCertificate, type Certificate } from '../helpers/certificates.js';
import { serveRange, startServer, until } from '../helpers/local-server.js';
import { startProxy, type ProxyOptions, type ProxyServer } from '../helpers/proxy-server.js';
import { createTmpFolder, removeFolder } from '../helpers/tmp.js';

const bytes = randomBytes(100_000);
const { signal } = new AbortController();
const stallMs = 5000;
const password = 'p@ss:w/rd!';
const closing: (() => Promise<void>)[] = [];
let certificate: Certificate;
let authority: string;

beforeAll(async () => {
  const folder = await createTmpFolder();
  const made = await makeCertificate(folder);
  certificate = made;
  authority = await readFile(made.authorityFile, 'utf8');
  await removeFolder(folder);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  closeIdleSockets();
  for (const close of closing.splice(0).reverse()) await close();
});

async function proxy(options: ProxyOptions = {}): Promise<ProxyServer> {
  const started = await startProxy(options);
  closing.push(() => started.close());
  return started;
}

/** A server that has no name but behind the proxy. */
async function serve(handler: RequestListener, name = 'hub.test'): Promise<string> {
  const server = await startServer(handler);
  closing.push(() => server.close());
  return server.origin.replace('127.0.0.1', name);
}

async function serveSecure(handler: RequestListener, name = 'hub.test'): Promise<string> {
  const server = createSecureServer(certificate, handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return `https://${name}:${String(port)}`;
}

async function readFrom(origin: string): Promise<Uint8Array> {
  const range = { start: 100, end: 60_000 };
  const into = new Uint8Array(range.end - range.start);
  const target = { url: `${origin}/a%2Bb+c?X-Sig=a%2Fb&n=1`, headers: { authorization: 'Bearer token' } };
  await getRange({ target, range, totalSize: bytes.length, into, signal, stallMs });
  return into;
}

/** The authority of the test is known to no process that started before it. */
function untrusted(address: string, variable: string): RegExp {
  return new RegExp(
    `^ProxyRefused: The proxy ${address} \\(${variable}\\) cannot be reached \\(UNABLE_TO_VERIFY.*NODE_EXTRA_CA_CERTS`
  );
}

function trustAll(): void {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
}

describe('plain http', () => {
  test('asks the proxy for the whole URL as it is written, with user and password, and the host for nothing else', async () => {
    const seen: unknown[] = [];
    const origin = await serve((request, response) => {
      seen.push(request.url, request.headers.authorization, request.headers['proxy-authorization']);
      serveRange(bytes, request, response);
    });
    const through = await proxy({ user: 'someone', password });
    vi.stubEnv('http_proxy', through.url);
    expect(Buffer.compare(await readFrom(origin), bytes.subarray(100, 60_000))).toBe(0);
    expect(seen).toEqual(['/a%2Bb+c?X-Sig=a%2Fb&n=1', 'Bearer token', undefined]);
    expect(through.asked).toEqual([`GET ${new URL(origin).host}`]);
  });

  test('goes by a proxy that is spoken to over TLS', async () => {
    const origin = await serve((request, response) => {
      serveRange(bytes, request, response);
    });
    const through = await proxy({ certificate });
    vi.stubEnv('HTTP_PROXY', through.url);
    await expect(readFrom(origin)).rejects.toThrow(untrusted(through.address, 'HTTP_PROXY'));
    trustAll();
    expect(Buffer.compare(await readFrom(origin), bytes.subarray(100, 60_000))).toBe(0);
    expect(through.asked).toEqual([`GET ${new URL(origin).host}`]);
  });

  test('keeps its connections to the proxy', async () => {
    const origin = await serve((request, response) => {
      serveRange(bytes, request, response);
    });
    const through = await proxy();
    vi.stubEnv('http_proxy', through.url);
    for (let i = 0; i < 4; i++) await readFrom(origin);
    expect(through.connections()).toBe(1);
  });

  test('goes past the proxy where NO_PROXY says so', async () => {
    const origin = await serve((request, response) => {
      serveRange(bytes, request, response);
    }, '127.0.0.1');
    const through = await proxy();
    vi.stubEnv('http_proxy', through.url);
    vi.stubEnv('NO_PROXY', '127.0.0.0/8');
    await readFrom(origin);
    expect(through.asked).toEqual([]);
  });
});

describe('https', () => {
  test('goes through a tunnel that is opened with user and password, and used again', async () => {
    const seen: unknown[] = [];
    const origin = await serveSecure((request, response) => {
      seen.push(request.url, request.headers.authorization, request.headers['proxy-authorization']);
      serveRange(bytes, request, response);
    });
    const through = await proxy({ user: 'someone', password });
    vi.stubEnv('https_proxy', through.url);
    await expect(readFrom(origin)).rejects.toThrow(
      /^HubProtocol: The certificate of https:\/\/hub.test:\d+ is not trusted .*NODE_EXTRA_CA_CERTS/
    );
    trustAll();
    for (let i = 0; i < 4; i++) expect(Buffer.compare(await readFrom(origin), bytes.subarray(100, 60_000))).toBe(0);
    expect(seen.slice(0, 3)).toEqual(['/a%2Bb+c?X-Sig=a%2Fb&n=1', 'Bearer token', undefined]);
    const { host } = new URL(origin);
    expect(through.asked).toEqual([`CONNECT ${host}`, `CONNECT ${host}`]);
  });

  test('goes by a proxy that is spoken to over TLS', async () => {
    const origin = await serveSecure((request, response) => {
      serveRange(bytes, request, response);
    });
    const through = await proxy({ certificate });
    vi.stubEnv('ALL_PROXY', through.url);
    await expect(readFrom(origin)).rejects.toThrow(untrusted(through.address, 'ALL_PROXY'));
    trustAll();
    expect(Buffer.compare(await readFrom(origin), bytes.subarray(100, 60_000))).toBe(0);
  });

  test('sends bytes through it too', async () => {
    let got = 0;
    const origin = await serveSecure((request, response) => {
      request.on('data', (chunk: Buffer) => (got += chunk.length));
      request.on('end', () => response.end('stored'));
    });
    const through = await proxy();
    vi.stubEnv('https_proxy', through.url);
    trustAll();
    const answer = await putBytes({ target: { url: `${origin}/x`, headers: {} }, body: bytes, stallMs });
    expect(answer).toMatchObject({ status: 200, text: 'stored' });
    expect(got).toBe(bytes.length);
  });
});

describe('agents that are given to others', () => {
  function destroyed(agent: Agent): void {
    closing.push(() => {
      agent.destroy();
      return Promise.resolve();
    });
  }

  /** Asks as the AWS SDK does, which does not name the protocol. */
  async function ask(request: typeof requestPlain, options: RequestOptions): Promise<string> {
    return new Promise((resolve, reject) => {
      request(options, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => {
          resolve(text);
        });
      })
        .on('error', reject)
        .end();
    });
  }

  test('hold the certificate of an address against that address, whatever the name of the proxy', async () => {
    const origin = await serveSecure((_, response) => response.end('here'), '127.0.0.1');
    const other = createSecureServer(certificate, (_, response) => response.end('wrong'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.2', resolve));
    closing.push(async () => {
      other.closeAllConnections();
      await new Promise((resolve) => other.close(resolve));
    });
    const through = await proxy();
    const { secure } = createAgents({ ca: authority, keepAlive: true });
    destroyed(secure);
    vi.stubEnv('https_proxy', through.url.replace('127.0.0.1', 'localhost'));
    const here = { host: '127.0.0.1', port: new URL(origin).port, agent: secure };
    expect(await ask(requestSecure, here)).toBe('here');
    vi.stubEnv('https_proxy', through.url);
    const { port } = other.address() as AddressInfo;
    const wrong = ask(requestSecure, { ...here, host: '127.0.0.2', port });
    await expect(wrong).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    expect(through.asked).toHaveLength(2);
  });

  test('keep tunnels, with further authorities, for requests that do not name their protocol', async () => {
    const origin = await serveSecure((_, response) => response.end('here'));
    const through = await proxy({ certificate });
    vi.stubEnv('https_proxy', through.url);
    const { secure } = createAgents({ ca: authority, keepAlive: true, maxSockets: 2 });
    destroyed(secure);
    const options = { host: 'hub.test', port: new URL(origin).port, agent: secure };
    for (let i = 0; i < 4; i++) expect(await ask(requestSecure, options)).toBe('here');
    expect(through.asked).toHaveLength(1);
  });

  test.each(["//a/../b?x='", '/a:b//c?u=http://other.test/', '//'])('write %s as it is to a proxy', async (path) => {
    const lines: string[] = [];
    const through = await startServer((request, response) => {
      lines.push(`${String(request.method)} ${String(request.url)} ${String(request.headers.host)}`);
      response.end('here');
    });
    closing.push(() => through.close());
    vi.stubEnv('http_proxy', through.origin);
    const { plain } = createAgents({ keepAlive: true });
    destroyed(plain);
    for (let i = 0; i < 2; i++) await ask(requestPlain, { host: 'hub.test', port: 8080, path, agent: plain });
    expect(lines).toEqual(Array(2).fill(`GET http://hub.test:8080${path} hub.test:8080`));
  });

  test.each(['SSH-2.0-x\r\n\r\n', 'nothing of a head'])(
    'are told of a proxy that answers %j to CONNECT',
    async (text) => {
      const other = createServer((socket) => {
        socket.on('error', () => undefined).once('data', () => socket.end(text));
      });
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
      closing.push(async () => {
        await new Promise((resolve) => other.close(resolve));
      });
      vi.stubEnv('https_proxy', `http://127.0.0.1:${String((other.address() as AddressInfo).port)}`);
      const { secure } = createAgents({});
      await expect(ask(requestSecure, { host: 'hub.test', agent: secure })).rejects.toMatchObject({
        name: 'ProxyError',
        refused: false,
        message: expect.stringContaining('(https_proxy) cannot be reached') as unknown,
      });
    }
  );
});

test.each(['http://hub.test', 'https://hub.test'])(
  'nobody waits for a silent proxy once a read of %s is given up',
  async (origin) => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
      socket.resume();
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    closing.push(
      () =>
        new Promise(
          (resolve) =>
            void silent.close(() => {
              resolve();
            })
        )
    );
    vi.stubEnv('ALL_PROXY', `https://127.0.0.1:${String((silent.address() as AddressInfo).port)}`);
    const abort = new AbortController();
    const range = { start: 0, end: 10 };
    const reading = getRange({
      target: { url: `${origin}/x`, headers: {} },
      ...{ range, totalSize: 10, into: new Uint8Array(10), signal: abort.signal, stallMs },
    });
    await until(() => sockets.size === 1, 'the proxy to be asked');
    abort.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
    await until(() => sockets.size === 0, 'the proxy to be left');
  }
);

test('credentials of the machine are asked for past the proxy, and what they sign goes by it', async () => {
  const endpoint = await serve((_, response) => response.writeHead(404).end(), 'store.test');
  let asked = 0;
  const metadata = await serve((_, response) => {
    asked++;
    response.setHeader('Content-Type', 'application/json');
    const Expiration = new Date(Date.now() + 3_600_000).toISOString();
    response.end(JSON.stringify({ AccessKeyId: 'id', SecretAccessKey: 'of-the-machine', Token: 'token', Expiration }));
  }, '127.0.0.1');
  const through = await proxy();
  vi.stubEnv('http_proxy', through.url);
  vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${metadata}/credentials`);
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere');
  const store = await openStore('s3://bucket/models', { s3: { endpoint, region: 'us-east-1' } });
  expect(await store.head('x')).toBeUndefined();
  expect(asked).toBe(1);
  expect([...new Set(through.asked)]).toEqual([`HEAD ${new URL(endpoint).host}`]);
});

interface Asking {
  readonly who: string;
  readonly outage: string;
  readonly ask: (origin: string) => Promise<unknown>;
}

const askers: Asking[] = [
  { who: 'the Hub', outage: 'HubUnavailable', ask: (endpoint) => openHub({ endpoint }).resolveRevision('o/n', 'main') },
  { who: 'a source', outage: 'SourceUnavailable', ask: readFrom },
  {
    who: 'an upload',
    outage: 'StoreUnavailable',
    ask: (origin) => putBytes({ target: { url: `${origin}/x`, headers: {} }, body: bytes, stallMs }),
  },
  {
    who: 'a store',
    outage: 'StoreUnavailable',
    ask: async (endpoint) => {
      const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' };
      const store = await openStore('s3://bucket/models', { s3: { endpoint, credentials, region: 'us-east-1' } });
      await store.head('x');
    },
  },
];

const targets = [
  ['http', 'HTTP_PROXY', 'http://hub.test:9999'],
  ['https', 'HTTPS_PROXY', 'https://hub.test:9999'],
] as const;

const rows = askers.flatMap((asking) => targets.map((target) => [asking.who, ...target, asking] as const));

describe.each(rows)('%s over %s', (_, scheme, variable, origin, { outage, ask }) => {
  async function failure(proxyUrl: string): Promise<unknown> {
    vi.stubEnv(variable, proxyUrl);
    const error = await ask(origin).then(
      () => undefined,
      (problem: unknown) => problem
    );
    if (!isPrefetchError(error)) throw new Error('It did not fail as it should.', { cause: error });
    expect(error.message).not.toMatch(/someone|p@ss|p%40ss|\n/);
    return error;
  }

  test('ends at once where the proxy wants other credentials', async () => {
    const through = await proxy({ user: 'somebody', password: 'else' });
    const error = await failure(
      through.url.replace('somebody', 'someone').replace('else', encodeURIComponent(password))
    );
    expect(error).toMatchObject({
      code: 'ProxyRefused',
      permanent: true,
      details: { proxy: through.address, variable },
      message: expect.stringContaining(`The proxy ${through.address} (${variable}) asks for a user`) as unknown,
    });
    expect(through.asked).toHaveLength(1);
  });

  test('is told of a proxy that is down, and may try again', async () => {
    const gone = await startProxy();
    await gone.close();
    const error = await failure(gone.url.replace('//', '//someone:p%40ss@'));
    expect(error).toMatchObject({ code: outage, permanent: false });
    expect(String(error)).toMatch(
      new RegExp(`he proxy ${gone.address} \\(${variable}\\) cannot be reached \\(ECONNREFUSED\\)`)
    );
    expect(String(error)).toContain('NO_PROXY');
  });

  test.each(['socks5://someone:p%40ss@127.0.0.1:1080', 'http://someone:p@ss/word@127.0.0.1:8080'])(
    'ends at once with %s',
    async (url) => {
      const error = await failure(url);
      expect(error).toMatchObject({ code: 'InvalidInput', permanent: true, details: { variable } });
    }
  );

  test.runIf(scheme === 'https')('ends at once where the proxy does not allow the host', async () => {
    const through = await proxy({ refuseWith: 403 });
    const error = await failure(through.url);
    expect(error).toMatchObject({ code: 'ProxyRefused', permanent: true });
    expect(String(error)).toContain(
      `The proxy ${through.address} (HTTPS_PROXY) gave no connection to hub.test:9999 (status 403). Allow hub.test:9999`
    );
    expect(through.asked).toHaveLength(1);
  });

  test.runIf(scheme === 'https')('may try again where the proxy could not reach the host', async () => {
    const through = await proxy({ refuseWith: 502 });
    const error = await failure(through.url);
    expect(error).toMatchObject({ code: outage, permanent: false });
    expect(String(error)).toContain(
      `The proxy ${through.address} (HTTPS_PROXY) gave no connection to hub.test:9999 (status 502)`
    );
  });

  test.runIf(scheme === 'https')('is told of a proxy that is none', async () => {
    const other = await startServer((request) => request.socket.destroy());
    closing.push(() => other.close());
    expect(await failure(other.origin)).toMatchObject({ code: outage, permanent: false });
  });
});
