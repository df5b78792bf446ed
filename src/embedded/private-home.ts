import { access, chmod, lstat, mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { PrefetchError } from '../core/errors.js';

/** What this package puts into a home. The store is not among what is closed file by file: the home's mode covers it. */
const STORE = 'store';
const PRIVATE = ['key', 'gate', 'lock', 'leases', 'runs', 'temporal'];
const OTHERS = 0o077;
const STICKY = 0o1000;

/**
 * Makes the home, or closes the one that is there, to everybody but its owner: folders 0700, files 0600.
 * @throws PrefetchError `InvalidInput` where the folder is not this user's, or is shared with something else
 */
export async function makePrivateHome(home: string): Promise<void> {
  try {
    // The folders above it are made as the user's umask has it.
    await mkdir(dirname(resolve(home)), { recursive: true });
    await mkdir(home, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw refused(`the folder cannot be made: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { mode } = await checkHome(home);
  if ((mode & OTHERS) !== 0) await chmod(home, 0o700);
  for (const name of PRIVATE) await close(join(home, name));
}

/**
 * Checks that a home may be trusted, changing nothing; one that is not there may.
 * @throws PrefetchError `InvalidInput` as `makePrivateHome`
 */
export async function checkPrivateHome(home: string): Promise<void> {
  if (await isThere(home)) await checkHome(home);
}

async function checkHome(home: string): Promise<{ readonly mode: number }> {
  const entry = await stat(home);
  const { mode, uid } = entry;
  const path = resolve(home);
  if (!entry.isDirectory()) throw refused(`${path} is no folder`);
  if (uid !== ownUser()) throw refused(`${path} belongs to another user (uid ${String(uid)}). ${ADVICE}`);
  if ((mode & OTHERS) === 0) return { mode };
  // A folder that others use too must not be closed to them: /tmp, or /var for root.
  if ((mode & STICKY) !== 0) throw refused(`${path} is a folder for everybody. ${ADVICE}`);
  if (!(await isOurs(home))) throw refused(`${path} is open to others and has other things in it. ${ADVICE}`);
  return { mode };
}

const ADVICE = 'Name a folder of its own, such as one inside it that is not there yet: it is made with mode 0700';

/** A home of 0.1.0 has its database; any other folder of ours holds nothing that is not ours. */
async function isOurs(home: string): Promise<boolean> {
  if (await isThere(join(home, 'temporal', 'temporal.db'))) return true;
  return (await readdir(home)).every((name) => [...PRIVATE, STORE].includes(name));
}

/** Takes from others what an earlier release or the server left open. Links are not followed. */
async function close(path: string): Promise<void> {
  const entry = await lstat(path).catch(() => undefined);
  if (entry === undefined || entry.uid !== ownUser()) return;
  if (!entry.isDirectory() && !entry.isFile()) return;
  // A file may have ended meanwhile, as journals of the database do.
  if ((entry.mode & OTHERS) !== 0) await chmod(path, entry.isDirectory() ? 0o700 : 0o600).catch(() => undefined);
  if (!entry.isDirectory()) return;
  for (const name of await readdir(path)) await close(join(path, name));
}

/** Undefined on systems that have no users, as `stat` has no owners there. */
function ownUser(): number {
  return process.getuid?.() ?? 0;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false
  );
}

function refused(reason: string): PrefetchError {
  return new PrefetchError('InvalidInput', `MODEL_PREFETCH_HOME: ${reason}`);
}
