import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_MS = 50;
const GONE_MS = 5_000;

/** Ends every process of a group: asks, gives them time, kills. When it returns, none is left. */
export async function endGroup(leader: number, graceMs: number): Promise<void> {
  if (!(await isAlive(leader))) return;
  send(leader, 'SIGTERM');
  if (await hasGone(leader, graceMs)) return;
  send(leader, 'SIGKILL');
  await hasGone(leader, GONE_MS);
}

async function hasGone(leader: number, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (await isAlive(leader)) {
    if (Date.now() > deadline) return false;
    await delay(LOOK_MS);
  }
  return true;
}

/** Whether any process of the group still runs; one that has ended and waits for its parent does not. */
async function isAlive(leader: number): Promise<boolean> {
  if (!send(leader, 0)) return false;
  const pids = await readdir('/proc').catch(() => undefined);
  // No such folder: on macOS, where nobody is left waiting.
  if (pids === undefined) return true;
  for (const pid of pids.filter((name) => /^\d+$/.test(name))) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    // The second field is the program's name in parentheses and may hold spaces; state is field 3, group field 5.
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (group === String(leader) && state !== 'Z' && state !== 'X') return true;
  }
  return false;
}

/** False when there is no such group. */
function send(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal);
    return true;
  } catch {
    return false;
  }
}
