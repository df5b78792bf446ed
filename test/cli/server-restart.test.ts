import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startDevHub } from '../../src/dev-hub/index.js';
import { keptServer } from '../helpers/kept-server.js';
import { tmpFolder } from '../helpers/tmp.js';
import { closedGate } from './closed-gate.js';
import { killGroup, startCli } from './cli-process.js';

describe('a Temporal server that is killed and started again', () => {
  it('is waited for by who waits for a run, and by workers: the run goes on', { timeout: 90_000 }, async () => {
    const folder = await tmpFolder();
    const gate = closedGate();
    const files = { 'model.safetensors': { size: 4 * 1024 * 1024, seed: 'weights' } };
    const hub = await startDevHub({
      repos: [{ id: 'org/tiny', commits: [{ files }] }],
      intercept: gate.intercept,
    });
    onTestFinished(() => hub.close());
    const server = await keptServer(folder);
    await server.start();
    onTestFinished(() => server.kill());
    const env = {
      TEMPORAL_ADDRESS: server.address,
      HF_ENDPOINT: hub.url,
      MODEL_PREFETCH_STORE: pathToFileURL(join(folder, 'store')).href,
      MODEL_PREFETCH_SHARED_FILES: 'true',
    };
    const worker = await startCli(['worker'], env);
    await worker.said('Polling');
    // The one starts the run, the other joins it; the third gives up while nobody answers.
    const waiter = await startCli(['hf-model', 'org/tiny', '--wait', '--output', 'json'], env);
    await waiter.said('Transferring');
    const asker = await startCli(['result', 'org/tiny'], env);
    const quitter = await startCli(['result', 'org/tiny'], env);
    await Promise.all([asker.said('Transferring'), quitter.said('Transferring'), gate.reached]);

    await server.kill();
    await Promise.all([waiter, asker, quitter].map((each) => each.said('The Temporal server does not answer')));
    killGroup(quitter.child, 'SIGINT');
    const quit = await quitter.ended;
    expect(quit).toMatchObject({ code: 130, stdout: '' });
    expect(quit.stderr).toContain('The run goes on');
    expect(quit.stderr).toContain('model-prefetch result prefetch/org/tiny@main/');

    await server.start();
    gate.open();
    const [brought, told] = await Promise.all([waiter.ended, asker.ended]);
    expect(brought.code, brought.stderr).toBe(0);
    expect(JSON.parse(brought.stdout)).toMatchObject({ repo: 'org/tiny', fileCount: 1 });
    expect(brought.stderr.match(/does not answer/g)).toHaveLength(1);
    expect(told.code, told.stderr).toBe(0);
    expect(worker.child.exitCode).toBeNull();
  });
});
