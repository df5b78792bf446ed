import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A Python of 3.10 or newer. Without one: `undefined` and one loud line, or a failure where `CI=true`. */
export async function findPython(untested: string): Promise<string | undefined> {
  for (const name of ['python3', 'python']) {
    const good = await run(name, ['-c', 'import sys; sys.exit(sys.version_info < (3, 10))']).then(
      () => true,
      () => false
    );
    if (good) return name;
  }
  const text = `NOT TESTED, ${untested}: install Python 3.10 or newer.`;
  if (process.env['CI'] === 'true') throw new Error(text);
  console.warn(text);
  return undefined;
}
