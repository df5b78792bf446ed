import { supervise } from './supervise.js';

/** The process between a command and its server: HOME, the Temporal CLI, and the CLI's arguments. */
const [home, cli, ...args] = process.argv.slice(2);

if (home === undefined || cli === undefined) throw new Error('expected HOME TEMPORAL_CLI ARGUMENT...');
// The command that started this one may be gone before it is told.
process.stdout.on('error', () => undefined);
await supervise({ home, cli, args, onStart: (pid) => process.stdout.write(`${String(pid)}\n`) });
// A watch or a pipe that is left must not keep it.
process.exit();
