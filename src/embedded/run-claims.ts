import { createHash, createHmac } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { filesOfLiving, ownName } from './process-names.js';

/** That a command of the home works on a run, for as long as its process lives. */
export interface RunClaim {
  readonly workflowId: string;
  /** Base of the queues that its worker serves, and no other. */
  readonly taskQueue: string;
  /** What decides where the model comes from and goes to: names, and digests that only this home can make. */
  readonly settings: Readonly<Record<string, string>>;
}

/** A claim of a process that lives. */
export interface LivingClaim extends RunClaim {
  readonly pid: number;
}

const NAME_LENGTH = 16;
const DIGEST_LENGTH = 24;

/** Says that this process works on a run; returns how to take that back. */
export async function claimRun(home: string, claim: RunClaim): Promise<() => Promise<void>> {
  const folder = claimFolder(home);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `${await ownName()}.${nameOf(claim.workflowId)}`);
  await writeFile(`${file}.new`, JSON.stringify(claim), { mode: 0o600 });
  await rename(`${file}.new`, file);
  return () => rm(file, { force: true });
}

/** Who works on a run; undefined when nobody who lives does. A run is worked on where its queue is served, and nowhere else. */
export async function findClaim(
  home: string,
  { workflowId, taskQueue }: Pick<RunClaim, 'workflowId' | 'taskQueue'>
): Promise<LivingClaim | undefined> {
  const ending = `.${nameOf(workflowId)}`;
  for (const { file, pid } of await filesOfLiving(claimFolder(home))) {
    const claim = file.endsWith(ending) ? await readClaim(file) : undefined;
    if (claim?.workflowId === workflowId && claim.taskQueue === taskQueue) return { ...claim, pid };
  }
  return undefined;
}

/** Values as digests under the key of the home: equal ones can be told, and nothing can be told from them. */
export function digestSettings(key: Buffer, values: Readonly<Record<string, string>>): Record<string, string> {
  const digest = (name: string, value: string) =>
    createHmac('sha256', key).update(`settings\0${name}\0${value}`).digest('hex').slice(0, DIGEST_LENGTH);
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, digest(name, value)]));
}

/** The names under which two commands have different values, or only one of them has any. */
export function differences(one: RunClaim['settings'], other: RunClaim['settings']): string[] {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].filter((name) => one[name] !== other[name]).sort();
}

function claimFolder(home: string): string {
  return join(home, 'runs');
}

function nameOf(workflowId: string): string {
  return createHash('sha256').update(workflowId).digest('hex').slice(0, NAME_LENGTH);
}

async function readClaim(file: string): Promise<RunClaim | undefined> {
  // It may be taken back at this moment.
  const claim = await readFile(file, 'utf8')
    .then((text): unknown => JSON.parse(text))
    .catch(() => undefined);
  return isClaim(claim) ? claim : undefined;
}

function isClaim(value: unknown): value is RunClaim {
  if (typeof value !== 'object' || value === null) return false;
  const settings: unknown = Reflect.get(value, 'settings');
  return (
    ['workflowId', 'taskQueue'].every((field) => typeof Reflect.get(value, field) === 'string') &&
    typeof settings === 'object' &&
    settings !== null &&
    Object.values(settings).every((digest) => typeof digest === 'string')
  );
}
