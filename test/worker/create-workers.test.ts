import { describe, expect, onTestFinished, test } from 'vitest';
import { PrefetchClient } from '../../src/client.js';
import { readSettings } from '../../src/config/environment.js';
import { createWorkers, ROLES } from '../../src/worker.js';
import { startServer, until } from '../helpers/local-server.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { tmpFolder } from '../helpers/tmp.js';

const server = useTemporalServer();

describe('createWorkers', () => {
  test('serves every role but gpu, each on its own queue, and stops when told', async () => {
    const workers = await createWorkers(await options());
    expect(workers.queues).toEqual(['base', 'base-transfer', 'base-wait', 'base-shard']);
    const running = workers.run();
    workers.shutdown();
    await expect(running).resolves.toBeUndefined();
  });

  test('serves only the roles that are asked for', async () => {
    const workers = await createWorkers({ ...(await options()), roles: ['transfer'] });
    expect(workers.queues).toEqual(['base-transfer']);
    const running = workers.run();
    workers.shutdown();
    await running;
  });

  test('is idle but while an activity runs', async () => {
    const hub = await startServer(() => undefined);
    onTestFinished(() => hub.close());
    const given = await options();
    const workers = await createWorkers({ ...given, settings: { ...given.settings, hubEndpoint: hub.origin } });
    expect(workers.isIdle()).toBe(true);
    const running = workers.run();
    const client = new PrefetchClient({ client: server().client, taskQueue: 'base' });
    await client.start({ repo: 'org/never-answered' });
    await until(() => hub.sockets.size > 0, 'the Hub to be asked');
    expect(workers.isIdle()).toBe(false);
    workers.shutdown();
    await running;
    expect(workers.isIdle()).toBe(true);
  });

  test.each<[string, string | undefined, string]>([
    ['the GPUs of this host', 'A100:4', 'base-gpu-a100-4'],
    ['no GPU', undefined, 'base-gpu'],
  ])('serves the role gpu when it is asked for, on the queue of runs that name %s', async (_name, gpu, queue) => {
    const workers = await createWorkers({
      ...(await options()),
      roles: ['gpu'],
      ...(gpu === undefined ? {} : { gpu }),
    });
    expect(workers.queues).toEqual([queue]);
    const running = workers.run();
    workers.shutdown();
    await running;
  });

  test('keeps the GPUs out of the names of other queues', async () => {
    const workers = await createWorkers({ ...(await options()), roles: [...ROLES], gpu: 'L4:2' });
    expect(workers.queues).toEqual(['base', 'base-transfer', 'base-wait', 'base-shard', 'base-gpu-l4-2']);
    const running = workers.run();
    workers.shutdown();
    await running;
  });

  test('leaves no worker behind when another one cannot be made', async () => {
    const given = await options();
    await expect(createWorkers({ ...given, roles: ['wait', 'transfer', 'transfer'] })).rejects.toThrow('overlapping');
    const workers = await createWorkers({ ...given, roles: ['wait', 'transfer'] });
    const running = workers.run();
    workers.shutdown();
    await running;
  });

  test('refuses no role', async () => {
    await expect(createWorkers({ ...(await options()), roles: [] })).rejects.toThrow(/^InvalidInput: roles: /);
  });

  test('refuses GPUs without the role that serves their queue', async () => {
    await expect(createWorkers({ ...(await options()), gpu: 'A100:4' })).rejects.toThrow(
      /^InvalidInput: roles: expected gpu/
    );
  });
});

async function options() {
  const home = await tmpFolder();
  return {
    connection: server().nativeConnection,
    settings: { ...readSettings({ HOME: home }), taskQueue: 'base' },
    embedded: true,
  };
}
