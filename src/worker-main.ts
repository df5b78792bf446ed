#!/usr/bin/env node
import { runCli } from './cli/run-cli.js';
import { setProcessDefaults } from './config/process-defaults.js';
import { noteEnvironmentSecrets } from './config/secrets.js';

const LINGER_MS = 2_000;

setProcessDefaults();
noteEnvironmentSecrets();
process.exitCode = await runCli(process.argv.slice(2), process, 'model-prefetch-worker');
// A worker that could not be made leaves native parts of the Temporal SDK, which hold the event loop; all work is done by now.
setTimeout(() => process.exit(), LINGER_MS).unref();
