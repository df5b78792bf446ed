import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataConverter } from '@temporalio/client';
import { PrefetchError } from '../core/errors.js';

type PayloadCodec = NonNullable<DataConverter['payloadCodecs']>[number];
type Payload = Awaited<ReturnType<PayloadCodec['encode']>>[number];
type Context = Parameters<PayloadCodec['encode']>[1];

/** What the commands of one home share, and nobody else has. */
export interface SealKey {
  readonly key: Buffer;
  /** The life of the server, as its record has it; behind a hyphen the command, where it joined that server. */
  readonly session: string;
}

const FIELD = 'model-prefetch-seal';
const KEY_BYTES = 32;
const OF_COMMAND = '-';
const FOREIGN = 'model-prefetch: not sealed by a command of this home';

/**
 * Anybody on the machine can reach the port of the embedded server. So whatever a command of the home tells the server
 * is sealed: with the home's key, for one run and for one life of the server. What a stranger sends has no seal, and
 * what a stranger copies fits no other run. The content stays readable for the Web UI.
 */
export async function readSealKey(home: string): Promise<Buffer> {
  const file = join(home, 'key');
  const known = await readKey(file);
  if (known !== undefined) return known;
  const draft = `${file}.${randomBytes(4).toString('hex')}`;
  await writeFile(draft, randomBytes(KEY_BYTES).toString('hex'), { flag: 'wx', mode: 0o600 });
  // A link never replaces a key that another command has just made.
  await link(draft, file).catch(() => undefined);
  await rm(draft);
  const made = await readKey(file);
  if (made === undefined) throw new PrefetchError('Internal', `${file} holds no key: remove it`);
  return made;
}

/** For clients: takes what any command of the home sealed, now or, for who looks at runs that have ended, ever. */
export function sealForClient(
  { key, session }: SealKey,
  { sealed }: { readonly sealed: 'now' | 'ever' }
): DataConverter {
  const wanted = (other: string) => sealed === 'ever' || lifeOf(other) === lifeOf(session);
  return {
    payloadCodecs: [
      {
        encode: (payloads, context) => Promise.resolve(payloads.map((each) => seal(each, context, { key, session }))),
        decode: (payloads, context) => {
          if (payloads.every((each) => isSealed(each, context, { key, wanted }))) return Promise.resolve(payloads);
          return Promise.reject(notOurs(context));
        },
      },
    ],
  };
}

/**
 * A command that joins a server seals with a session of its own in it: its worker takes what it sealed itself, so that
 * nobody can have the run of another command done with its settings, by a copy on its queue.
 */
export function sessionOfCommand(session: string, command: string): string {
  return `${session}${OF_COMMAND}${command}`;
}

/**
 * For workers: takes what was sealed in this life of the server, for the command that the worker is of. The input of a run
 * that has no such seal becomes a value that `isForeign` knows, so that the run fails by name instead of being tried
 * again; anything else is an error.
 */
export function sealForWorker({ key, session }: SealKey): DataConverter {
  const check = (payload: Payload, context: Context): Payload => {
    if (isSealed(payload, context, { key, wanted: (other) => other === session })) return payload;
    if (context?.type !== 'workflow') throw foreignRun();
    return { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(FOREIGN)) };
  };
  return {
    payloadCodecs: [
      {
        encode: (payloads, context) => Promise.resolve(payloads.map((each) => seal(each, context, { key, session }))),
        // eslint-disable-next-line @typescript-eslint/require-await -- a throw must become a rejection
        decode: async (payloads, context) => payloads.map((each) => check(each, context)),
      },
    ],
  };
}

/** Whether an argument stands for one that came without a seal. */
export function isForeign(argument: unknown): boolean {
  return argument === FOREIGN;
}

/** What a stranger's run fails with. */
export function foreignRun(): PrefetchError {
  return new PrefetchError(
    'DestinationNotAllowed',
    'The embedded worker writes for the commands of its own home only, and none of them asked for this. ' +
      'Run model-prefetch hf-model, or start workers of a Temporal cluster for runs of others'
  );
}

function seal(payload: Payload, context: Context, { key, session }: SealKey): Payload {
  const mac = macOf(payload, context, { key, session });
  return { ...payload, metadata: { ...payload.metadata, [FIELD]: Buffer.from(`${session}.${mac.toString('hex')}`) } };
}

interface Wanted {
  readonly key: Buffer;
  readonly wanted: (session: string) => boolean;
}

function isSealed(payload: Payload, context: Context, { key, wanted }: Wanted): boolean {
  const [session = '', hex = ''] = Buffer.from(payload.metadata?.[FIELD] ?? [])
    .toString()
    .split('.');
  if (!wanted(session)) return false;
  const [given, right] = [Buffer.from(hex, 'hex'), macOf(payload, context, { key, session })];
  return given.length === right.length && timingSafeEqual(given, right);
}

function lifeOf(session: string): string {
  return session.split(OF_COMMAND, 1).join();
}

/** Over the content, how it is to be read, and whose it is; each with its length, so that nothing can be moved. */
function macOf(payload: Payload, context: Context, { key, session }: SealKey): Buffer {
  const mac = createHmac('sha256', key);
  const owner = [context?.type ?? '', context?.workflowId ?? '', session].map((text) => Buffer.from(text));
  for (const bytes of [...owner, payload.metadata?.['encoding'] ?? [], payload.data ?? []]) {
    mac.update(`${String(bytes.length)}:`).update(Buffer.from(bytes));
  }
  return mac.digest();
}

function notOurs(context: Context): PrefetchError {
  return new PrefetchError(
    'WorkflowNotFound',
    `The run ${context?.workflowId ?? ''} was not written by this release in this home. Run hf-model again: what is there is found`
  );
}

async function readKey(file: string): Promise<Buffer | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const key = Buffer.from(text, 'hex');
  return key.length === KEY_BYTES ? key : undefined;
}
