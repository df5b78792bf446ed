import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the running server of a home is: for people, and for a second process that wants to look at a run. */
export interface ServerRecord {
  readonly pid: number;
  readonly address: string;
  readonly uiUrl: string;
  /** The life of this server: what was sealed in an earlier one is not worked on. */
  readonly session: string;
}

const FILE = 'server.json';

/** Writes down where the server is. */
export async function recordServer(folder: string, server: ServerRecord): Promise<void> {
  const { pid, address, uiUrl, session } = server;
  const file = join(folder, FILE);
  await writeFile(`${file}.new`, `${JSON.stringify({ pid, address, uiUrl, session }, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** Removes the record of a server that was stopped. */
export async function forgetServer(folder: string): Promise<void> {
  for (const name of [FILE, `${FILE}.ending`]) await rm(join(folder, name), { force: true });
}

/**
 * Takes the record away from those who would join from now on, before the server is ended.
 * @returns what puts it back, when someone joined at that very moment
 */
export async function withdrawServer(folder: string): Promise<() => Promise<void>> {
  const file = join(folder, FILE);
  // There is none where the server has not been said to serve yet.
  await rename(file, `${file}.ending`).catch(() => undefined);
  return () => rename(`${file}.ending`, file).catch(() => undefined);
}

/** The record of a home's server; undefined when none runs. After a crash it may name a server that is gone. */
export async function readServer(home: string): Promise<ServerRecord | undefined> {
  const text = await readFile(join(home, 'temporal', FILE), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const record: unknown = JSON.parse(text);
  return isRecord(record) ? record : undefined;
}

function isRecord(value: unknown): value is ServerRecord {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['address', 'uiUrl', 'session'].every((field) => typeof Reflect.get(value, field) === 'string')
  );
}
