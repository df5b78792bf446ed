import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startDevHub, type DevHubOptions } from '../../src/dev-hub/index.js';
import { tmpFolder } from '../helpers/tmp.js';
import { hubRequest } from './hub-request.js';
import { ask, repos, start } from './sample-hub.js';

describe('a folder', () => {
  test('is served from disk, and a file that changes is not served as what it was', async () => {
    const folder = await tmpFolder();
    await mkdir(join(folder, 'o', 'm@v2'), { recursive: true });
    await mkdir(join(folder, 'o', 'm'));
    await writeFile(join(folder, 'o/m/model.bin'), 'first');
    await writeFile(join(folder, 'o/m@v2/config.json'), '{}');
    const hashed: string[] = [];
    const settings: Partial<DevHubOptions> = {
      repos: { folder },
      smallFiles: 'direct',
      digestCache: join(folder, 'digests.json'),
      onHashed: ({ path }) => hashed.push(path),
    };
    const { cdnUrl, close } = await start(settings);
    const { headers } = await ask('/o/m/resolve/main/model.bin');
    const place = String(headers.location).slice(cdnUrl.length);
    expect((await hubRequest(cdnUrl, place)).body.toString()).toBe('first');
    expect((await ask('/o/m/resolve/v2/config.json')).body.toString()).toBe('{}');
    await writeFile(join(folder, 'o/m/model.bin'), 'second');
    const changed = await hubRequest(cdnUrl, place);
    expect([changed.status, changed.body.toString()]).toEqual([500, expect.stringContaining('has changed since')]);
    expect(hashed.sort()).toEqual(['config.json', 'model.bin']);
    await close();
    hashed.length = 0;
    await start(settings);
    expect(hashed).toEqual(['model.bin']);
  });
});

describe('the servers', () => {
  test('refuse requests beyond a quota, which is counted for each account', async () => {
    await start({ rateLimit: { quota: 2, windowSeconds: 100 } });
    expect((await ask('/api/models/o/m')).headers).toMatchObject({
      ratelimit: expect.stringMatching(/^"api";r=1;t=\d+$/) as string,
      'ratelimit-policy': '"fixed window";"api";q=2;w=100',
    });
    expect((await ask('/api/models/o/nowhere')).headers.ratelimit).toMatch('"api";r=0');
    const refused = await ask('/api/models/o/m');
    expect([refused.status, refused.headers.ratelimit]).toEqual([429, expect.stringContaining('r=0;t=')]);
    expect((await ask('/o/m/resolve/main/README.md')).status).toBe(307);
    expect((await ask('/api/models/o/m', { headers: { Authorization: 'Bearer hf_all' } })).status).toBe(200);
  });

  test('report each request when it is over', async () => {
    const seen: unknown[] = [];
    await start({ onRequest: ({ method, path, status }) => seen.push([method, path, status]) });
    await ask('/api/models/o/m?secret=1');
    await expect.poll(() => seen).toEqual([['GET', '/api/models/o/m', 200]]);
  });

  test('say which port is taken, and give the other one back', async () => {
    const { url } = await start();
    const taken = Number(new URL(url).port);
    const inUse = new RegExp(`^InvalidInput: Cannot listen on 127\\.0\\.0\\.1:${String(taken)}: the port is in use`);
    await expect(startDevHub({ repos, port: taken })).rejects.toThrow(inUse);
    await expect(startDevHub({ repos, cdnPort: taken })).rejects.toThrow(inUse);
  });

  test('do not start when they are told to give up', async () => {
    const signal = AbortSignal.abort(new Error('given up'));
    await expect(startDevHub({ repos, signal })).rejects.toThrow('given up');
  });

  test('end with an answer half sent', async () => {
    const { close, url, requests } = await start({
      repos: [{ id: 'o/m', commits: [{ files: { 'x.bin': { size: 2 ** 40, seed: 'x', sha256: 'ab'.repeat(32) } } }] }],
    });
    const { headers } = await hubRequest(url, '/o/m/resolve/main/x.bin');
    const response = await fetch(String(headers.location));
    await expect.poll(() => (requests[1]?.bytesSent ?? 0) > 0).toBe(true);
    await close();
    await expect(response.arrayBuffer()).rejects.toThrow();
  });
});
