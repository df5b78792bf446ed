import { fileURLToPath } from 'node:url';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker } from '@temporalio/worker';
import { ModelPrefetchPlugin } from 'temporal-model-prefetch';
import { createWorkers, readSettings } from 'temporal-model-prefetch/worker';
import * as activities from './activities.js';

const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
const connection = await NativeConnection.connect(connectionOptions);

// Your own worker. The plugin serves ensureModel(…, { waitOn: 'own-queue' }) on its queue.
const own = await Worker.create({
  connection,
  namespace,
  taskQueue: 'inference',
  workflowsPath: fileURLToPath(new URL('./workflows.js', import.meta.url)),
  activities,
  plugins: [new ModelPrefetchPlugin()],
});

// The prefetch workers: here in the same process, in production more often `model-prefetch worker` on machines of their own.
const prefetch = await createWorkers({ connection, namespace, settings: readSettings() });

await Promise.all([own.run(), prefetch.run()]);
