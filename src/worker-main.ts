#!/usr/bin/env node
import { runWorker } from './run-worker.js';

try {
  await runWorker({});
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
