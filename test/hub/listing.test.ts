import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Hub } from '../../src/hub/hub.js';
import { openHub } from '../../src/hub/open-hub.js';
import { startServer, type LocalServer } from '../helpers/local-server.js';

interface Answer {
  readonly status?: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

const json = { 'Content-Type': 'application/json; charset=utf-8' };
const token = 'hf_s3cret';
const entry = (path: string) => ({ type: 'file', path, size: 3, oid: 'a'.repeat(40) });

let server: LocalServer;
let hub: Hub;
/** What the server says to everything; a test sets it. */
let say: (request: IncomingMessage) => Answer;

beforeEach(async () => {
  server = await startServer((request, response) => {
    const { status = 200, headers, body } = say(request);
    response.writeHead(status, headers).end(body);
  });
  hub = openHub({ endpoint: server.origin });
});

afterEach(() => server.close());

async function list(credential?: string): Promise<string[]> {
  const paths: string[] = [];
  const options = credential === undefined ? {} : { token: credential };
  for await (const { path } of hub.listFiles('o/m', 'c'.repeat(40), options)) paths.push(path);
  return paths;
}

describe('a listing that cannot be trusted', () => {
  test.each([
    ['another host', () => 'http://localhost:1/tree?cursor=1'],
    ['another port', () => 'http://127.0.0.1:1/tree?cursor=1'],
    ['another scheme', () => server.origin.replace('http:', 'https:')],
    ['no server at all', () => 'data:application/json,[]'],
    ['a user of its own', () => server.origin.replace('//', '//user:pass@')],
    ['a URL that is none', () => 'http://'],
  ])('is HubProtocol: its next page is on %s', async (_, next) => {
    let followed = 0;
    say = ({ url }) => {
      if (url?.includes('cursor') === true) followed += 1;
      return { headers: { ...json, Link: `<${next()}>; rel="next"` }, body: JSON.stringify([entry('a')]) };
    };
    await expect(list(token)).rejects.toMatchObject({ code: 'HubProtocol' });
    await expect(list(token)).rejects.toThrow('its link to the next page');
    expect(followed).toBe(0);
  });

  test.each(['rel="next"', '<>; rel', '/tree?cursor=1; rel=next', '<unended; rel="next"', '<http://[::>; rel=next'])(
    'is HubProtocol, and no end of it: the link %j',
    async (link) => {
      const unusable = link.includes('next');
      say = () => ({ headers: { ...json, Link: link }, body: JSON.stringify([entry('a')]) });
      if (unusable) await expect(list()).rejects.toMatchObject({ code: 'HubProtocol' });
      else await expect(list()).resolves.toEqual(['a']);
    }
  );

  test('is HubProtocol: it was sent on to another host and goes on there', async () => {
    const stranger = await startServer((_, response) => {
      response.writeHead(200, { ...json, Link: '</tree?cursor=1>; rel="next"' }).end(JSON.stringify([entry('a')]));
    });
    try {
      say = () => ({ status: 307, headers: { Location: `${stranger.origin}/tree` } });
      await expect(list()).rejects.toMatchObject({ code: 'HubProtocol' });
    } finally {
      await stranger.close();
    }
  });

  test('is HubProtocol: its pages repeat what was there, under ever new links', async () => {
    let page = 0;
    say = () => {
      page += 1;
      const link = `</api/models/o/m/tree/x?cursor=${String(page)}>; rel="next"`;
      return { headers: { ...json, Link: link }, body: JSON.stringify([entry('a'), entry('b')]) };
    };
    await expect(list()).rejects.toMatchObject({ code: 'HubProtocol' });
    expect(page).toBe(2);
  });

  test('is HubProtocol: it does not end', async () => {
    hub = openHub({ endpoint: server.origin, maxEntries: 1_000 });
    let page = 0;
    say = () => {
      page += 1;
      const link = `</api/models/o/m/tree/x?cursor=${String(page)}>; rel="next"`;
      const entries = Array.from({ length: 300 }, (_, at) => ({
        type: 'directory',
        path: `${String(page)}-${String(at)}`,
      }));
      return { headers: { ...json, Link: link }, body: JSON.stringify(entries) };
    };
    await expect(list()).rejects.toThrow('more than 1000 entries');
    expect(page).toBe(4);
  });

  test('is HubProtocol: its pages have more bytes than any listing', async () => {
    hub = openHub({ endpoint: server.origin, maxListingBytes: 10_000 });
    let page = 0;
    say = () => {
      page += 1;
      return {
        headers: { ...json, Link: `</tree?cursor=${String(page)}>; rel="next"` },
        body: `[${' '.repeat(3_000)}]`,
      };
    };
    await expect(list()).rejects.toThrow('more than 10000 bytes');
    expect(page).toBe(4);
  });

  test('is HubProtocol: a path has the token in it', async () => {
    say = () => ({ headers: json, body: JSON.stringify([entry(`weights/${token}.bin`)]) });
    const error: unknown = await list(token).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'HubProtocol' });
    expect(String(error)).not.toContain(token);
  });
});

test('a listing may have 100,000 files', { timeout: 30_000 }, async () => {
  const pages = 100;
  say = ({ url = '' }) => {
    const page = Number(/cursor=(\d+)/.exec(url)?.[1] ?? 0);
    const next = `</api/models/o/m/tree/x?cursor=${String(page + 1)}>; rel="next"`;
    const entries = Array.from({ length: 1_000 }, (_, at) => entry(`folder/${String(page)}/${String(at)}.bin`));
    return { headers: page + 1 < pages ? { ...json, Link: next } : json, body: JSON.stringify(entries) };
  };
  await expect(list()).resolves.toHaveLength(100_000);
});
