import { isPrefetchError, PrefetchError, type ErrorCode } from '../../src/core/errors.js';
import { describe, type Call, type Result } from './calls.js';

/** How a step of a run ended. */
export type Ending =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: ErrorCode | 'Crash'; text: string };

/** A process at work on one step: it runs until all it could go on with are answers of the store. */
export interface LiveProcess {
  /** Calls without an answer, in the order in which they were made. */
  readonly pending: readonly Call[];
  readonly ending: Ending | undefined;
  /** Answers a call, and lets the process run to its next ones. */
  deliver(index: number, result: Result): Promise<void>;
  /** It stays where it is for ever. */
  drop(): void;
}

/** What the code of a process asks of the world around it. */
export interface ProcessPort {
  readonly serial: string;
  ask(call: Call): Promise<unknown>;
  /** A name that only this process gives, and the same one whatever other processes do. */
  readonly token: () => string;
}

const ports = new Map<string, ProcessPort>();
let started = 0;
let running: ProcessPort | undefined;

/** The process that a URL of the form `mem://serial/...` belongs to. */
export function portOf(url: string): { readonly port: ProcessPort; readonly path: string } {
  const [serial = '', ...path] = url.slice('mem://'.length).split('/');
  const port = ports.get(serial);
  if (port === undefined) throw new Error(`No process has ${url}`);
  return { port, path: path.join('/') };
}

/** The process whose code runs just now. */
export function runningPort(): ProcessPort {
  if (running === undefined) throw new Error('No process is running');
  return running;
}

/** Starts a process; `name` is part of all names that it gives. */
export async function startProcess(name: string, work: (port: ProcessPort) => Promise<unknown>): Promise<LiveProcess> {
  const waiting: { readonly call: Call; readonly settle: (result: Result) => void }[] = [];
  let ending: Ending | undefined;
  let tokens = 0;
  const port: ProcessPort = {
    serial: String(++started),
    token: () => `${name}.${++tokens}`,
    ask: (call) =>
      new Promise((resolve, reject) => {
        waiting.push({
          call,
          settle: (result) => {
            if (result.ok) resolve(result.value);
            else reject(new PrefetchError(result.code, `the answer to ${describe(call)}`));
          },
        });
      }),
  };
  ports.set(port.serial, port);

  const run = async (go: () => void): Promise<void> => {
    running = port;
    go();
    await quiet(() => waiting.length > 0 || ending !== undefined, name);
    running = undefined;
    if (ending !== undefined) ports.delete(port.serial);
  };
  await run(() => {
    work(port).then(
      (value) => (ending = { ok: true, value }),
      (error: unknown) => (ending = endingOf(error))
    );
  });
  return {
    get pending() {
      return waiting.map(({ call }) => call);
    },
    get ending() {
      return ending;
    },
    deliver: (index, result) =>
      run(() => {
        const [asked] = waiting.splice(index, 1);
        asked?.settle(result);
      }),
    drop: () => ports.delete(port.serial),
  };
}

/** Nothing but promises moves a process, so that one turn of the event loop brings it to its next calls. */
async function quiet(done: () => boolean, name: string): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (done()) return;
  }
  throw new Error(`${name} waits for something that is no call to the store`);
}

function endingOf(error: unknown): Ending {
  if (isPrefetchError(error)) return { ok: false, code: error.code, text: error.message };
  return { ok: false, code: 'Crash', text: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
