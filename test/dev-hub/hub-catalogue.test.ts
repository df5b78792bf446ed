import { describe, expect, test } from 'vitest';
import { hubRequest } from './hub-request.js';
import { ask, files, start } from './sample-hub.js';

describe('commits', () => {
  test('have ids that follow from their files alone', async () => {
    const { commitOf } = await start();
    const id = commitOf('o/m', 'main');
    expect(id).toMatch(/^[0-9a-f]{40}$/);
    expect(commitOf('o/gated', 'main')).toBe(id);
    expect(commitOf('o/m', 'v1')).not.toBe(id);
    expect(commitOf('o/m', 'refs/tags/v1')).toBe(commitOf('o/m', 'v1'));
    expect(commitOf('o/m', 'refs/heads/main')).toBe(id);
    expect(commitOf('o/m', id)).toBe(id);
    expect(() => commitOf('o/m', 'nope')).toThrow('o/m has no revision nope');
  });

  test('of the same files have ids of their own', async () => {
    const { commitOf } = await start({
      repos: [{ id: 'o/m', commits: [{ files }, { files }], branches: { main: 1, old: 0 } }],
    });
    expect(commitOf('o/m', 'main')).not.toBe(commitOf('o/m', 'old'));
  });

  test('are what a branch can be moved between', async () => {
    const { url, commitOf, moveBranch } = await start();
    const before = commitOf('o/m', 'main');
    moveBranch('o/m', 'main', 0);
    expect(commitOf('o/m', 'main')).toBe(commitOf('o/m', 'v1'));
    expect((await ask('/o/m/resolve/main/model.safetensors')).status).toBe(404);
    expect((await ask(`/o/m/resolve/${before}/model.safetensors`)).status).toBe(302);
    moveBranch('o/m', 'refs/pr/1', 1);
    expect((await hubRequest(url, '/api/models/o/m/revision/refs%2Fpr%2F1')).json()).toMatchObject({ sha: before });
    expect(() => {
      moveBranch('o/m', 'main', 2);
    }).toThrow('o/m has 2 commits, none at position 2');
  });
});
