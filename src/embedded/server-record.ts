import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the running server of a home is: for people, and for a second process that wants to look at a run. */
export interface ServerRecord {
  readonly pid: number;
  readonly address: string;
  readonly uiUrl: string;
}

const FILE = 'server.json';

/** Writes down where the server is. */
export async function recordServer(folder: string, server: ServerRecord): Promise<void> {
  const record: ServerRecord = { pid: server.pid, address: server.address, uiUrl: server.uiUrl };
  const file = join(folder, FILE);
  await writeFile(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`);
  await rename(`${file}.new`, file);
}

/** Removes the record of a server that was stopped. */
export async function forgetServer(folder: string): Promise<void> {
  await rm(join(folder, FILE), { force: true });
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
    ['address', 'uiUrl'].every((field) => typeof Reflect.get(value, field) === 'string')
  );
}
