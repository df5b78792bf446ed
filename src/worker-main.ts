#!/usr/bin/env node
import { setProcessDefaults } from './config/process-defaults.js';
import { noteEnvironmentSecrets } from './config/secrets.js';
import { withoutSecrets } from './core/foreign-text.js';
import { runWorker } from './worker/run-worker.js';

setProcessDefaults();
noteEnvironmentSecrets();
try {
  await runWorker({});
} catch (error) {
  process.stderr.write(`${withoutSecrets(error instanceof Error ? error.message : String(error))}\n`);
  process.exitCode = 1;
}
