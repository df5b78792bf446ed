#!/usr/bin/env node
import { setProcessDefaults } from '../config/process-defaults.js';
import { noteEnvironmentSecrets } from '../config/secrets.js';
import { runCli } from './run-cli.js';

const LINGER_MS = 2_000;

setProcessDefaults();
noteEnvironmentSecrets();
process.exitCode = await runCli(process.argv.slice(2), process);
// Native parts of the Temporal SDK may hold the event loop; all work is done by now.
setTimeout(() => process.exit(), LINGER_MS).unref();
