import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { rangeOf, reset, until } from '../helpers/local-server.js';
import { sha256Of } from '../helpers/test-source.js';
import { bytesOf, failure, live, partSize, quickPolicies, setUpTransfers } from '../helpers/transfer-setup.js';

const setup = setUpTransfers();
afterEach(() => setup.end());

const size = 4 * partSize + 17;
const impatient = { ...quickPolicies, stallMs: 300 };

type Fault = (request: IncomingMessage, response: ServerResponse, bytes: Buffer) => void;

const passing: [title: string, fault: Fault][] = [
  [
    'a range that ends early',
    (request, response, bytes) => {
      const { start, end } = rangeOf(request, size);
      response.writeHead(206, {
        'Content-Range': `bytes ${start}-${end - 1}/${size}`,
        'Content-Length': end - start,
      });
      response.write(bytes.subarray(start, start + 1000), () => response.socket?.destroy());
    },
  ],
  [
    'a reset',
    (request) => {
      reset(request.socket);
    },
  ],
  ['a stall', () => undefined],
  ['a server error', (_, response) => response.writeHead(500).end()],
  [
    'a wrong Content-Range',
    (_, response) => response.writeHead(206, { 'Content-Range': `bytes 0-1/${size}` }).end('ab'),
  ],
  ['an expired location', (_, response) => response.writeHead(403).end()],
  ['a short rate limit', (_, response) => response.writeHead(429, { 'Retry-After': '0' }).end()],
];

describe('the source', () => {
  test.each(passing)('%s that passes costs a try and nothing else', async (_, fault) => {
    const bytes = bytesOf(size);
    const request = await setup.request(bytes, {
      policies: impatient,
      intercept: (incoming, response, count) => {
        if (count !== 2) return false;
        fault(incoming, response, bytes);
        return true;
      },
    });
    const engine = setup.engine({ policies: impatient });
    await engine.transferFile(request, live());
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
    expect(request.source.starts.length).toBeGreaterThanOrEqual(6);
    expect(engine.memory.inUseBytes).toBe(0);
  });

  const lasting: [title: string, code: string, fault: Fault, requests: number][] = [
    ['a server error', 'SourceUnavailable', (_, response) => response.writeHead(500).end(), 5],
    ['a refusal', 'SourceUnavailable', (_, response) => response.writeHead(403).end(), 4],
    ['an ignored range', 'StreamingUnsupported', (_, response, bytes) => response.writeHead(200).end(bytes), 1],
    [
      'an ignored range in chunks',
      'StreamingUnsupported',
      (_, response, bytes) => response.writeHead(200).end(bytes),
      1,
    ],
    [
      'another range',
      'StreamingUnsupported',
      (_, response, bytes) => response.writeHead(206, { 'Content-Range': `bytes 0-9/${size}` }).end(bytes),
      5,
    ],
    [
      'an encoding',
      'StreamingUnsupported',
      (_, response, bytes) => response.writeHead(206, { 'Content-Encoding': 'gzip' }).end(bytes),
      5,
    ],
    ['a stall', 'SourceStalled', () => undefined, 5],
  ];

  test.each(lasting)('%s that lasts fails as %s and keeps what arrived', async (_, code, fault, requests) => {
    const bytes = bytesOf(size);
    let faulty = 0;
    const request = await setup.request(bytes, {
      policies: impatient,
      intercept: (incoming, response) => {
        if (rangeOf(incoming, size).start !== partSize) return false;
        faulty++;
        fault(incoming, response, bytes);
        return true;
      },
    });
    const engine = setup.engine({ lanes: 1, policies: impatient });
    const error = await failure(engine.transferFile(request, live()));
    expect(error).toMatchObject({ name: 'PrefetchError', code });
    expect(String(error)).not.toContain('secret');
    expect(faulty).toBe(requests);
    expect(request.store.objects.size).toBe(0);
    expect(request.store.uploads.size).toBe(1);
    expect(engine.memory.inUseBytes).toBe(0);
  });

  test.each([
    ['without a Content-Range', (count: number) => ({ 'Content-Length': count })],
    ['of unknown length and range', () => ({})],
  ])('that answers %s is moved by its count of bytes and its digest', async (_, headers) => {
    const bytes = bytesOf(size);
    const request = await setup.request(bytes, {
      intercept: (incoming, response) => {
        const { start, end } = rangeOf(incoming, size);
        response.writeHead(206, headers(end - start)).end(bytes.subarray(start, end));
        return true;
      },
    });
    await setup.engine().transferFile(request, live());
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
    // Whether an answer needs a parser is seen in its head: then it is asked for once more.
    expect(request.source.starts.length).toBeLessThanOrEqual(2 * Math.ceil(size / partSize));
  });

  test('an expired location is asked for once for all ranges', async () => {
    const bytes = bytesOf(size);
    const request = await setup.request(bytes, {
      intercept: (incoming, response) => {
        if (!(incoming.url ?? '').endsWith('generation=1')) return false;
        response.writeHead(403).end();
        return true;
      },
    });
    await setup.engine().transferFile(request, live());
    expect(request.source.located()).toBe(2);
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
  });

  test.each([429, 503])('a long wait that a %i asks for is left to the caller', async (status) => {
    const request = await setup.request(bytesOf(size), {
      intercept: (_, response) => {
        response.writeHead(status, { 'Retry-After': '77' }).end();
        return true;
      },
    });
    const error = await failure(setup.engine().transferFile(request, live()));
    expect(error).toMatchObject({ code: status === 429 ? 'RateLimited' : 'SourceUnavailable', retryAfterMs: 77_000 });
    expect(request.source.starts.length).toBeLessThanOrEqual(4);
  });

  test.each([5000, size])('a flipped bit in a file of %i bytes is fetched once more', async (length) => {
    const bytes = bytesOf(length);
    const request = await setup.request(bytes, { intercept: flipOnce(bytes, 1) });
    const result = await setup.engine().transferFile(request, live());
    expect(result).toMatchObject({ how: 'fetched', fetchedBytes: 2 * length });
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
    expect(request.store.uploads.size).toBe(0);
  });

  test.each([5000, size])(
    'wrong bytes in a file of %i bytes, twice, are a mismatch and never visible',
    async (length) => {
      const bytes = bytesOf(length);
      const request = await setup.request(bytes, { digest: sha256Of(bytesOf(1)) });
      const error = await failure(setup.engine().transferFile(request, live()));
      expect(error).toMatchObject({ code: 'DigestMismatch', permanent: true });
      expect(String(error)).toContain('weights.bin');
      expect(request.store.objects.size).toBe(0);
      expect(request.store.uploads.size).toBe(0);
      expect(request.store.calls).not.toContain('complete');
    }
  );
});

/** Serves one bit wrong in the n-th request. */
function flipOnce(bytes: Buffer, nth: number) {
  return (request: IncomingMessage, response: ServerResponse, count: number): boolean => {
    if (count !== nth) return false;
    const { start, end } = rangeOf(request, bytes.length);
    const wrong = Buffer.from(bytes.subarray(start, end));
    wrong.writeUInt8(wrong.readUInt8(0) ^ 1, 0);
    const headers = { 'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}`, 'Content-Length': end - start };
    response.writeHead(206, headers).end(wrong);
    return true;
  };
}

describe('the store', () => {
  const answers: [title: string, fault: (request: IncomingMessage, response: ServerResponse) => void][] = [
    [
      'a reset',
      (request) => {
        reset(request.socket);
      },
    ],
    ['a server error', (request, response) => request.resume().on('end', () => response.writeHead(500).end())],
    ['a request to slow down', (request, response) => request.resume().on('end', () => response.writeHead(503).end())],
    ['a signature that ended', (request, response) => request.resume().on('end', () => response.writeHead(403).end())],
    ['an answer without ETag', (request, response) => request.resume().on('end', () => response.writeHead(200).end())],
    ['no answer', (request) => request.resume()],
    [
      'an answer that is cut',
      (request, response) =>
        request.resume().on('end', () => {
          response.writeHead(200, { 'Content-Length': 10 }).write('cut', () => request.socket.destroy());
        }),
    ],
  ];

  test.each(answers)('%s to a part sends the part again and fetches nothing again', async (_, fault) => {
    const bytes = bytesOf(size);
    const request = await setup.request(bytes);
    let faults = 0;
    request.store.faults.intercept = (incoming, response, name) => {
      if (name !== 'PUT part 3' || faults++ > 0) return false;
      fault(incoming, response);
      return true;
    };
    const result = await setup.engine({ policies: impatient }).transferFile(request, live());
    expect(result.fetchedBytes).toBe(size);
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
    expect(request.store.calls.filter((call) => call === 'PUT part 3').length).toBeGreaterThanOrEqual(2);
  });

  const lasting: [status: number, code: string][] = [
    [500, 'StoreUnavailable'],
    [403, 'StoreAccessDenied'],
  ];

  test.each(lasting)('a part refused with %i for good fails as %s and keeps the upload', async (status, code) => {
    const request = await setup.request(bytesOf(size));
    request.store.faults.intercept = (incoming, response, name) => {
      if (name !== 'PUT part 2') return false;
      incoming.resume().on('end', () => response.writeHead(status).end());
      return true;
    };
    const engine = setup.engine();
    expect(await failure(engine.transferFile(request, live()))).toMatchObject({ code });
    expect(request.store.calls.filter((call) => call === 'PUT part 2')).toHaveLength(3);
    expect(request.store.uploads.size).toBe(1);
    expect(engine.memory.inUseBytes).toBe(0);
  });

  test('an upload that vanishes on the way is started anew, once', async () => {
    const bytes = bytesOf(size);
    const request = await setup.request(bytes);
    let removals = 0;
    request.store.faults.intercept = (_, __, name) => {
      if (name === 'PUT part 4' && removals++ === 0) request.store.uploads.clear();
      return false;
    };
    await setup.engine().transferFile(request, live());
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
    request.store.objects.clear();
    request.store.faults.intercept = (_, __, name) => {
      if (name === 'PUT part 4') request.store.uploads.clear();
      return false;
    };
    expect(await failure(setup.engine().transferFile(request, live()))).toMatchObject({ code: 'UploadNotFound' });
  });

  test('a lost answer of the completion ends in a look at the object', async () => {
    const bytes = bytesOf(size);
    const request = await setup.request(bytes);
    let tries = 0;
    request.store.faults.completing = async (complete) => {
      const { PrefetchError } = await import('../../src/core/errors.js');
      complete();
      if (tries++ === 0) throw new PrefetchError('StoreUnavailable', 'lost');
    };
    const result = await setup.engine().transferFile(request, live());
    expect(result).toMatchObject({ how: 'fetched', fetchedBytes: size });
    expect(tries).toBe(1);
    expect(request.store.calls.filter((call) => call === 'complete')).toHaveLength(2);
    expect(request.store.calls).toContain(`GET ${request.key}`);
    expect(request.store.objects.get(request.key)?.equals(bytes)).toBe(true);
  });

  test('nothing hangs on to a connection or to memory after a failure', async () => {
    const request = await setup.request(bytesOf(20 * partSize), { intercept: (_, __, count) => count > 2 });
    request.store.faults.intercept = (_, response, name) => {
      if (name !== 'PUT part 2') return false;
      response.writeHead(404).end('<Error><Code>NoSuchBucket</Code></Error>');
      return true;
    };
    const engine = setup.engine();
    expect(await failure(engine.transferFile(request, live()))).toMatchObject({ code: 'BucketNotFound' });
    expect(engine.memory.inUseBytes).toBe(0);
    await until(() => request.source.sockets() <= 2, 'hanging connections to be cut');
  });
});
