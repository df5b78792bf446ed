import { rmSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { filesOfLiving, ownName } from './process-names.js';

/** A command's claim on the embedded server of a home: the server lives as long as there is one. */
export interface Lease {
  release(): Promise<void>;
}

let taken = 0;

/** Takes a lease for this process. One that is killed holds none, from that moment on. */
export async function takeLease(home: string): Promise<Lease> {
  const folder = leaseFolder(home);
  // Counted before anything is waited for: this process may take another one meanwhile.
  const count = (taken += 1);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `${await ownName()}.${String(count)}`);
  await writeFile(file, '', { flag: 'wx', mode: 0o600 });
  // A process that ends in a hurry is missed at the next look; this way the look comes at once.
  const onExit = () => {
    rmSync(file, { force: true });
  };
  process.once('exit', onExit);
  return {
    release: async () => {
      process.off('exit', onExit);
      await rm(file, { force: true });
    },
  };
}

/** Whether any process that lives holds a lease. */
export async function isLeased(home: string): Promise<boolean> {
  return (await filesOfLiving(leaseFolder(home))).length > 0;
}

/** Where leases lie; whoever watches it hears at once that one was released. */
export function leaseFolder(home: string): string {
  return join(home, 'leases');
}
