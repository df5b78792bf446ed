import { randomBytes } from 'node:crypto';
import type { OutgoingHttpHeaders, RequestListener } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import type { HttpAnswer } from '../../src/core/http-answer.js';
import { closeIdleSockets } from '../../src/http/agents.js';
import { getRange, type GetRangeRequest } from '../../src/http/get-range.js';
import { isLocationRefused } from '../../src/http/range-answer.js';
import { streamRange } from '../../src/http/stream-range.js';
import { rangeOf, reset, serveRange, startServer, until, type LocalServer } from '../helpers/local-server.js';

const bytes = randomBytes(3_000_001);
const servers: LocalServer[] = [];

afterEach(async () => {
  closeIdleSockets();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(handler: RequestListener): Promise<LocalServer> {
  const server = await startServer(handler);
  servers.push(server);
  return server;
}

function read(server: LocalServer, change: Partial<GetRangeRequest> = {}): Promise<void> {
  return getRange({
    target: { url: `${server.origin}/file?X-Signature=secret`, headers: {} },
    range: { start: 1000, end: 2_500_000 },
    totalSize: bytes.length,
    into: new Uint8Array(2_499_000),
    signal: new AbortController().signal,
    stallMs: 5000,
    ...change,
  });
}

async function failure(promise: Promise<void>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('It did not fail.');
    },
    (error: unknown) => error
  );
}

describe('a good source', () => {
  test('fills the buffer with exactly the range and tells how many bytes came', async () => {
    const server = await serve((request, response) => {
      serveRange(bytes, request, response);
    });
    const into = new Uint8Array(2_499_000);
    let count = 0;
    await read(server, { into, onBytes: (more) => (count += more) });
    expect(Buffer.compare(into, bytes.subarray(1000, 2_500_000))).toBe(0);
    expect(count).toBe(into.length);
  });

  test('asks for identity bytes and sends the headers of the target', async () => {
    const seen: unknown[] = [];
    const server = await serve((request, response) => {
      seen.push(request.headers['accept-encoding'], request.headers.range, request.headers.authorization);
      serveRange(bytes, request, response);
    });
    await read(server, { target: { url: `${server.origin}/file`, headers: { Authorization: 'Bearer t' } } });
    expect(seen).toEqual(['identity', 'bytes=1000-2499999', 'Bearer t']);
  });

  test('uses one connection for one range after another', async () => {
    const ports = new Set<number | undefined>();
    const server = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      serveRange(bytes, request, response);
    });
    for (let i = 0; i < 5; i++) await read(server);
    expect(ports.size).toBe(1);
  });

  const wholeHeads: [title: string, headers: OutgoingHttpHeaders][] = [
    ['with its length', { 'Content-Length': bytes.length }],
    ['in chunks', {}],
    ['without a length', { Connection: 'close', 'Transfer-Encoding': 'identity' }],
    ['that says identity in capitals', { 'content-encoding': 'Identity' }],
    ['with an empty encoding', { 'Content-Encoding': '' }],
    ['in chunks that are of S3', { 'Content-Encoding': 'aws-chunked' }],
    ['that is gzip as it is', { 'Content-Encoding': 'gzip', 'Content-Length': bytes.length }],
  ];

  test.each(wholeHeads)('a 200 %s is taken where the range is the whole file', async (_, headers) => {
    const server = await serve((_request, response) => {
      response.writeHead(200, headers).end(bytes);
    });
    const into = new Uint8Array(bytes.length);
    await read(server, { range: { start: 0, end: bytes.length }, into });
    expect(Buffer.compare(into, bytes)).toBe(0);
  });

  const length = { 'Content-Length': 2_499_000 };
  const rangeHeads: [title: string, status: number, headers: OutgoingHttpHeaders][] = [
    ['no Content-Range', 206, length],
    ['neither Content-Range nor length', 206, {}],
    ['chunks, and the range', 206, { 'Content-Range': `bytes 1000-2499999/${bytes.length}` }],
    ['a range of an unknown whole', 206, { ...length, 'Content-Range': 'bytes 1000-2499999/*' }],
    ['a range without a whole', 206, { ...length, 'Content-Range': 'bytes 1000-2499999' }],
    ['a range in capitals', 206, { ...length, 'CONTENT-RANGE': `Bytes 1000-2499999/${bytes.length}` }],
    ['a range with spaces', 206, { ...length, 'content-range': `  bytes  1000 - 2499999 / ${bytes.length} ` }],
    ['a range with an equals sign', 206, { ...length, 'content-range': `bytes=1000-2499999/${bytes.length}` }],
    [
      'the range twice',
      206,
      { ...length, 'content-range': [1, 2].map(() => `bytes 1000-2499999/${bytes.length}`).join(', ') },
    ],
    ...['aws-chunked', 'none', 'binary', 'utf-8', 'identity, identity', '8bit', 'x', ','].map(
      (encoding): [string, number, OutgoingHttpHeaders] => [
        `an encoding that packs nothing, ${encoding}`,
        206,
        { 'Content-Range': `bytes 1000-2499999/${bytes.length}`, 'Content-Encoding': encoding },
      ]
    ),
    ...['gzip', 'x-gzip', 'br', 'zstd', 'aws-chunked, gzip'].map((encoding): [string, number, OutgoingHttpHeaders] => [
      `an encoding of the file itself, ${encoding}`,
      206,
      { ...length, 'Content-Range': `bytes 1000-2499999/${bytes.length}`, 'Content-Encoding': encoding },
    ]),
    ['a range that says nothing', 206, { ...length, 'content-range': 'items' }],
    ['an empty range', 206, { ...length, 'content-range': '' }],
    ['200, but the range', 200, { ...length, 'Content-Range': `bytes 1000-2499999/${bytes.length}` }],
  ];

  test.each(rangeHeads)('the right bytes with %s are taken', async (_, status, headers) => {
    const server = await serve((request, response) => {
      const { start, end } = rangeOf(request, bytes.length);
      response.writeHead(status, headers).end(bytes.subarray(start, end));
    });
    const into = new Uint8Array(2_499_000);
    await read(server, { into });
    expect(Buffer.compare(into, bytes.subarray(1000, 2_500_000))).toBe(0);
    const streamed: Uint8Array[] = [];
    await streamRange({
      target: { url: `${server.origin}/file`, headers: {} },
      range: { start: 1000, end: 2_500_000 },
      totalSize: bytes.length,
      signal: new AbortController().signal,
      stallMs: 5000,
      onChunk: (chunk) => void streamed.push(chunk),
    });
    expect(Buffer.compare(Buffer.concat(streamed), into)).toBe(0);
  });
});

const part = { 'Content-Range': `bytes 1000-2499999/${bytes.length}`, 'Content-Length': 2_499_000 };
const faults: [title: string, code: string, handler: RequestListener][] = [
  [
    'a range that ends early is a truncated source',
    'TruncatedSource',
    (_, response) => {
      response.writeHead(206, part);
      response.write(bytes.subarray(0, 5000), () => response.socket?.end());
    },
  ],
  [
    'an answer without a length that ends early is a truncated source',
    'TruncatedSource',
    (_, response) => {
      response.writeHead(206, { 'Content-Range': part['Content-Range'] }).end(bytes.subarray(0, 5000));
    },
  ],
  [
    'an answer without a length that goes on too long is refused',
    'SourceUnavailable',
    (_, response) => {
      response.writeHead(206, { 'Content-Range': part['Content-Range'] }).end(bytes);
    },
  ],
  [
    'an ignored range means that the source gives no ranges',
    'StreamingUnsupported',
    (_, response) => {
      response.writeHead(200, { 'Content-Length': bytes.length }).end(bytes);
    },
  ],
  [
    'another Content-Range is refused',
    'SourceUnavailable',
    (_, response) => {
      response
        .writeHead(206, { ...part, 'Content-Range': `bytes 0-2498999/${bytes.length}` })
        .end(bytes.subarray(0, 2_499_000));
    },
  ],
  [
    'a Content-Range of another total size is refused',
    'SourceUnavailable',
    (_, response) => {
      response
        .writeHead(206, { ...part, 'Content-Range': 'bytes 1000-2499999/9999999' })
        .end(bytes.subarray(0, 2_499_000));
    },
  ],
  [
    'a 206 without Content-Range that goes on too long is refused',
    'SourceUnavailable',
    (_, response) => {
      response.writeHead(206).end(bytes);
    },
  ],
  [
    'a 206 without Content-Range that ends early is a truncated source',
    'TruncatedSource',
    (_, response) => {
      response.writeHead(206).end(bytes.subarray(1000, 2_000_000));
    },
  ],
  [
    'a 206 without Content-Range that announces another length is refused',
    'SourceUnavailable',
    (_, response) => {
      response.writeHead(206, { 'Content-Length': bytes.length }).end(bytes);
    },
  ],
  [
    'two ranges for one are refused',
    'SourceUnavailable',
    (_, response) => {
      const two = `bytes 1000-2499999/${bytes.length}, bytes 0-999/${bytes.length}`;
      response.writeHead(206, { ...part, 'Content-Range': two }).end(bytes.subarray(1000, 2_500_000));
    },
  ],
  [
    'an ignored range without a length means that the source gives no ranges',
    'StreamingUnsupported',
    (_, response) => {
      response.writeHead(200).end(bytes);
    },
  ],
  [
    'an answer in parts means that the source gives no ranges',
    'StreamingUnsupported',
    (_, response) => {
      response.writeHead(206, { 'Content-Type': 'multipart/byteranges; boundary=x' }).end('--x\r\n');
    },
  ],
  [
    'a Content-Length that is not that of the range is refused',
    'SourceUnavailable',
    (_, response) => {
      response.writeHead(206, { ...part, 'Content-Length': 4 }).end('four');
    },
  ],
  [
    'compressed bytes are refused',
    'SourceUnavailable',
    (_, response) => {
      const { 'Content-Range': range } = part;
      response.writeHead(206, { 'Content-Range': range, 'Content-Encoding': 'gzip' });
      response.end(bytes.subarray(1000, 2_500_000));
    },
  ],
  [
    // Some networks show a reset as an early end.
    'a connection that is reset in the middle is an unavailable or a truncated source',
    'SourceUnavailable|TruncatedSource',
    (request, response) => {
      response.writeHead(206, part);
      response.write(bytes.subarray(0, 5000), () => {
        reset(request.socket);
      });
    },
  ],
  [
    'a connection that is reset before any answer is an unavailable source',
    'SourceUnavailable',
    (request) => {
      reset(request.socket);
    },
  ],
  [
    'an answer that is not HTTP is an unavailable source',
    'SourceUnavailable',
    (request) => {
      request.socket.end('220 mail.example ESMTP\r\n');
    },
  ],
  [
    'a server error is an unavailable source',
    'SourceUnavailable',
    (_, response) => {
      response.writeHead(500).end('oops');
    },
  ],
  [
    'a redirect is an unavailable source',
    'SourceUnavailable',
    (_, response) => {
      response.writeHead(302, { Location: '/elsewhere' }).end();
    },
  ],
  [
    'a range past the end is a truncated source',
    'TruncatedSource',
    (_, response) => {
      response.writeHead(416).end();
    },
  ],
];

describe('a bad source', () => {
  test.each(faults)('%s', async (_, code, handler) => {
    const server = await serve(handler);
    const error = await failure(read(server));
    expect(error).toMatchObject({ name: 'PrefetchError', code: expect.stringMatching(`^(${code})$`) as unknown });
    expect(String(error)).not.toMatch(/secret|Signature/);
    expect(String(error)).toContain(server.origin);
    if (code === 'StreamingUnsupported') expect(String(error)).toContain('no ranges');
  });

  test('a source that nobody listens at is unavailable', async () => {
    const server = await startServer(() => undefined);
    await server.close();
    expect(await failure(read(server))).toMatchObject({ code: 'SourceUnavailable' });
  });

  test('silence is a stall, before the answer and in the middle of it', async () => {
    const before = await serve(() => undefined);
    expect(await failure(read(before, { stallMs: 50 }))).toMatchObject({ code: 'SourceStalled' });
    const middle = await serve((_, response) => {
      response.writeHead(206, part).write(bytes.subarray(0, 5000));
    });
    expect(await failure(read(middle, { stallMs: 50 }))).toMatchObject({ code: 'SourceStalled' });
    await until(() => middle.sockets.size === 0, 'the stalled connection to be cut');
  });

  test('a source that is slow but never silent is borne', async () => {
    const server = await serve((request, response) => {
      const { start, end } = rangeOf(request, bytes.length);
      response.writeHead(206, { 'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}` });
      let position = start;
      const timer = setInterval(() => {
        response.write(bytes.subarray(position, (position += 1)));
        if (position < end) return;
        clearInterval(timer);
        response.end();
      }, 20);
    });
    const into = new Uint8Array(20);
    await read(server, { range: { start: 10, end: 30 }, into, stallMs: 200 });
    expect(Buffer.compare(into, bytes.subarray(10, 30))).toBe(0);
  });

  test('a source that drips is cut, whether its answer needs a parser or not', async () => {
    for (const headers of [part, { 'Content-Range': part['Content-Range'] }]) {
      const server = await serve((_, response) => {
        response.writeHead(206, headers);
        const drip = setInterval(() => response.write('x'), 10);
        response.on('close', () => {
          clearInterval(drip);
        });
      });
      const error = await failure(read(server, { leastRate: { bytes: 5000, windowMs: 100 } }));
      expect(error).toMatchObject({ code: 'SourceStalled' });
      expect(String(error)).toMatch(/\d+ bytes in 100 ms, where 5000 are the least/);
      await until(() => server.sockets.size === 0, 'the dripping connection to be cut');
    }
  });

  test.each([401, 403, 410])('a location refused with %i can be told from other failures', async (status) => {
    const server = await serve((_, response) => {
      response.writeHead(status).end();
    });
    expect(isLocationRefused(await failure(read(server)))).toBe(true);
    const broken = await serve((_, response) => {
      response.writeHead(502).end();
    });
    expect(isLocationRefused(await failure(read(broken)))).toBe(false);
  });

  const refusals: [title: string, handler: RequestListener][] = [
    ['at once', (_, response) => response.end('<Error><Code>InvalidObjectState</Code></Error>')],
    [
      'in pieces',
      (_, response) => {
        response.write('<Error><Code>InvalidObj', () => {
          setImmediate(() => response.end('ectState</Code></Error>'));
        });
      },
    ],
    [
      'with a length, and says no more',
      (_, response) => {
        response.setHeader('Content-Length', 1000);
        response.write('<Error><Code>InvalidObjectState</Code>');
      },
    ],
    [
      'with a length, and breaks off',
      (_, response) => {
        const head = '<Error><Code>InvalidObjectState</Code>';
        response.setHeader('Content-Length', 1000);
        response.write(head, () => response.socket?.destroy());
      },
    ],
  ];

  test.each(refusals)('a refusal that says why %s is judged with its body', async (_, handler) => {
    const server = await serve((request, response) => {
      response.statusCode = 403;
      response.setHeader('Content-Type', 'application/xml');
      handler(request, response);
    });
    const judged = new Error('what the store says');
    const answers: HttpAnswer[] = [];
    const judge = (answer: HttpAnswer): Promise<Error> => {
      answers.push(structuredClone(answer));
      return Promise.resolve(judged);
    };
    expect(await failure(read(server, { judge, stallMs: 500 }))).toBe(judged);
    const range = { start: 1000, end: 2_500_000 };
    const target = { url: `${server.origin}/file`, headers: {} };
    const { signal } = new AbortController();
    const streamed = streamRange({
      target,
      range,
      totalSize: bytes.length,
      signal,
      stallMs: 500,
      onChunk: () => undefined,
      judge,
    });
    expect(await failure(streamed)).toBe(judged);
    expect(answers).toHaveLength(2);
    for (const { status, origin, headers, text } of answers) {
      expect({ status, origin }).toEqual({ status: 403, origin: server.origin });
      expect(headers['content-type']).toBe('application/xml');
      expect(text).toMatch(/^<Error><Code>InvalidObjectState<\/Code>/);
    }
  });

  test.each(['', 'x'.repeat(1_000_000), '<Error></Error>'])(
    'a refusal that says nothing is told with its status',
    async (text) => {
      const server = await serve((_, response) => {
        response.writeHead(403, { 'Content-Type': 'application/xml' }).end(text);
      });
      expect(await failure(read(server))).toMatchObject({ code: 'SourceUnavailable', details: { status: 403 } });
    }
  );

  test('a rate limit carries the time that the server asks for', async () => {
    const limited = await serve((_, response) => {
      response.writeHead(429, { 'Retry-After': '7' }).end();
    });
    expect(await failure(read(limited))).toMatchObject({ code: 'RateLimited', retryAfterMs: 7000 });
    const busy = await serve((_, response) => {
      response.writeHead(503, { RateLimit: '"resolvers";r=0;t=41' }).end();
    });
    expect(await failure(read(busy))).toMatchObject({ code: 'SourceUnavailable', retryAfterMs: 42_000 });
  });
});

describe('abort', () => {
  test('cuts the connection, rejects with the reason and writes nothing any more', async () => {
    const server = await serve((_, response) => {
      response.writeHead(206, part);
      const timer = setInterval(() => response.write(Buffer.alloc(1000, 1)), 1);
      response.on('close', () => {
        clearInterval(timer);
      });
    });
    const abort = new AbortController();
    const into = new Uint8Array(2_499_000);
    const reason = new Error('enough');
    const reading = read(server, {
      into,
      signal: abort.signal,
      onBytes: () => {
        abort.abort(reason);
      },
    });
    expect(await failure(reading)).toBe(reason);
    into.fill(0);
    await until(() => server.sockets.size === 0, 'the connection to be cut');
    expect(into.every((byte) => byte === 0)).toBe(true);
  });

  test('a signal that is aborted already sends no request', async () => {
    let requests = 0;
    const server = await serve(() => requests++);
    await expect(async () => {
      await read(server, { signal: AbortSignal.abort(new Error('no')) });
    }).rejects.toThrow('no');
    expect(requests).toBe(0);
  });
});
