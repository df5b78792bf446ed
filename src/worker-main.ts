#!/usr/bin/env node
import { runCli } from './cli/run-cli.js';
import { setProcessDefaults } from './config/process-defaults.js';
import { noteEnvironmentSecrets } from './config/secrets.js';

setProcessDefaults();
noteEnvironmentSecrets();
process.exitCode = await runCli(process.argv.slice(2), process, 'model-prefetch-worker');
