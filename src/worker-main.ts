#!/usr/bin/env node
import { setProcessDefaults } from './config/process-defaults.js';
import { runWorker } from './run-worker.js';

setProcessDefaults();
try {
  await runWorker({
    onReady: (queues) => {
      process.stderr.write(`Polling ${queues.join(', ')}\n`);
    },
  });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
