import { describe, expect, test } from 'vitest';
import { ask, refusal, start } from './sample-hub.js';

const missing = { status: 401, code: 'RepoNotFound' };

describe('access', () => {
  const auth = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

  test('an unknown token is refused everywhere, on public repos too', async () => {
    await start();
    for (const path of ['/api/whoami-v2', '/api/models/o/m', '/o/m/resolve/main/README.md', '/nothing']) {
      const { status, headers } = await ask(path, auth('hf_unknown'));
      expect([status, headers['x-error-message'], headers['x-error-code']]).toEqual([
        401,
        'Invalid credentials in Authorization header',
        undefined,
      ]);
    }
    expect((await ask('/api/models/o/m', { headers: { Authorization: 'Basic eA==' } })).status).toBe(401);
    expect((await ask('/api/models/o/m', auth('toString'))).status).toBe(401);
  });

  test('whoami names the account', async () => {
    await start();
    expect((await ask('/api/whoami-v2', auth('hf_all'))).json()).toMatchObject({ type: 'user', name: 'all', orgs: [] });
    expect((await ask('/api/whoami-v2')).status).toBe(401);
  });

  test('metadata of a gated repo is public, its files are not', async () => {
    await start();
    const head = '/o/gated/resolve/main/README.md';
    for (const path of ['/api/models/o/gated', '/api/models/o/gated/tree/main', '/api/models/o/gated/refs']) {
      expect((await ask(path)).status).toBe(200);
    }
    for (const path of [head, '/api/models/o/gated/auth-check', '/o/gated/raw/main/README.md']) {
      expect(await refusal(path)).toEqual({ status: 401, code: 'GatedRepo' });
      expect(await refusal(path, auth('hf_none'))).toEqual({ status: 403, code: 'GatedRepo' });
      expect((await ask(path, auth('hf_all'))).status).toBeLessThan(400);
    }
    expect((await ask('/api/models/o/gated')).json()).toMatchObject({ gated: 'manual' });
  });

  test('a private repo looks like one that does not exist', async () => {
    await start();
    for (const repo of ['o/private', 'o/nowhere', 'nowhere']) {
      for (const path of [`/api/models/${repo}`, `/api/models/${repo}/auth-check`, `/${repo}/resolve/main/README.md`]) {
        expect(await refusal(path)).toEqual(missing);
        expect(await refusal(path, auth('hf_none'))).toEqual({ ...missing, status: 404 });
      }
    }
    expect((await ask('/api/models/o/private', auth('hf_all'))).status).toBe(200);
    expect((await ask('/api/models/o/private/auth-check', auth('hf_all'))).status).toBe(200);
  });

  test('a disabled repo is refused to all', async () => {
    await start();
    for (const path of ['/api/models/o/disabled', '/o/disabled/resolve/main/README.md']) {
      const { status, headers } = await ask(path, auth('hf_all'));
      expect([status, headers['x-error-message']]).toEqual([403, 'Access to this resource is disabled.']);
    }
  });

  test('can change while the Hub runs', async () => {
    const { setAccess } = await start();
    setAccess('o/m', { gated: 'auto' });
    expect(await refusal('/o/m/resolve/main/README.md')).toEqual({ status: 401, code: 'GatedRepo' });
    setAccess('o/m', { gated: false, private: true });
    expect(await refusal('/api/models/o/m')).toEqual(missing);
    setAccess('o/m', { private: false });
    expect((await ask('/api/models/o/m')).status).toBe(200);
  });
});
