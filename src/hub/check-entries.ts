import { withoutSecretsInUse } from '../core/secrets.js';
import { protocolError, type Subject } from './hub-errors.js';

/**
 * A check for one entry of a listing after the other: a Hub that repeats itself, or never comes to an end, must not fill the
 * memory; and paths go into plans, keys and manifests as they are, so that none may hold a secret that was sent with the
 * request.
 */
export function checkEntries(subject: Subject, mostEntries: number): (entry: unknown) => void {
  const paths = new Set<string>();
  let count = 0;
  return (entry) => {
    count += 1;
    if (count > mostEntries) throw protocolError(subject, `its listing has more than ${String(mostEntries)} entries`);
    const path = pathOf(entry);
    if (path === undefined) return;
    if (withoutSecretsInUse(path) !== path) throw protocolError(subject, 'a path of its listing has a secret in it');
    if (paths.has(path)) {
      throw protocolError(subject, `its listing has the path ${JSON.stringify(path.slice(0, 200))} twice`);
    }
    paths.add(path);
  };
}

function pathOf(entry: unknown): string | undefined {
  if (typeof entry !== 'object' || entry === null || !('path' in entry)) return undefined;
  return typeof entry.path === 'string' ? entry.path : undefined;
}
