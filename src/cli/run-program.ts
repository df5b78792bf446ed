import { setProcessDefaults } from '../config/process-defaults.js';
import { noteEnvironmentSecrets } from '../config/secrets.js';
import type { ProgramName } from './parse-arguments.js';
import { runCli } from './run-cli.js';

const LINGER_MS = 2_000;

/** Runs a program of this package as the whole process, and ends it. */
export async function runProgram(name: ProgramName): Promise<void> {
  setProcessDefaults();
  noteEnvironmentSecrets();
  process.exitCode = await runCli(process.argv.slice(2), process, name);
  // Native parts of the Temporal SDK may hold the event loop; all work is done by now.
  setTimeout(() => process.exit(), LINGER_MS).unref();
}
