import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { seededContent } from '../../src/dev-hub/seeded-content.js';
import { startDevHub, type BodyChunks, type DevHub, type Fault } from '../../src/dev-hub/index.js';
import {
  expiredUrl,
  hubFaults,
  rateLimited,
  serverError,
  truncated,
  type HubFaults,
} from '../../test/helpers/hub-faults.js';
import type { FilePlan, HubFaultPlan, ModelPlan, RoundPlan } from '../plan/round-plan.js';

export const REPO = 'org/model';
const MiB = 1024 * 1024;
const STEP = 128 * 1024;
const PAUSE_MS = 3_000;

/** A file of a commit: what its bytes are made of. */
export interface SeededFile extends FilePlan {
  readonly seed: string;
}

/** The Hub of one round. */
export interface HubBench {
  readonly hub: DevHub;
  readonly commits: readonly { readonly id: string; readonly files: readonly SeededFile[] }[];
  /** How many requests went wrong on purpose. */
  readonly hits: () => number;
  /** From now on all goes well, and as fast as it can. */
  readonly calm: () => void;
}

/** Starts the dev Hub with the faults of a plan; tells of every piece that the CDN hands out. */
export async function startHub(plan: RoundPlan, onBytes: (bytes: number) => void): Promise<HubBench> {
  const commits = [0, 1].map((position) => filesOf(plan, position));
  const faults = hubFaults();
  const injected = plan.hubFaults.map((fault) => injectFault(faults, fault));
  let calm = false;
  const hub = await startDevHub({
    repos: [
      {
        id: REPO,
        branches: { main: 0 },
        commits: commits.map((files) => ({
          files: Object.fromEntries(files.map(({ path, size, seed }) => [path, { size, seed }])),
        })),
      },
    ],
    intercept: async (request) => {
      const fault = await faults.intercept(request);
      if (request.origin !== 'cdn' || fault?.instead !== undefined || fault?.answer !== undefined) return fault;
      const pace = calm ? undefined : plan.pace;
      return {
        ...fault,
        body: (chunks, context) => counted(paced(fault?.body?.(chunks, context) ?? chunks, pace), onBytes),
      };
    },
  });
  return {
    hub,
    commits: commits.map((files, position) => ({ id: commitId(hub, position), files })),
    hits: () => injected.reduce((sum, { hits }) => sum + hits, 0),
    calm: () => {
      calm = true;
      faults.clear();
    },
  };
}

/** SHA-256 or git blob id of a file, found without the Hub. */
export function digestOf({ size, seed }: SeededFile, algorithm: 'sha256' | 'gitSha1'): string {
  const hash = createHash(algorithm === 'sha256' ? 'sha256' : 'sha1');
  if (algorithm === 'gitSha1') hash.update(`blob ${String(size)}\0`);
  for (const chunk of seededContent({ size, seed }).chunks(0, size) as Iterable<Uint8Array>) hash.update(chunk);
  return hash.digest('hex');
}

function filesOf({ seed, round, model }: RoundPlan, commit: number): SeededFile[] {
  return files(model).map((file) => {
    const version = commit === 1 && model.changed.includes(file.path) ? 'new' : 'old';
    return { ...file, seed: `${String(seed)}/${String(round)}/${file.path}/${version}` };
  });
}

function files({ small, large }: ModelPlan): readonly FilePlan[] {
  return [...small, ...large];
}

/** Branches name commits; for a moment one is pointed at the commit that is asked for. */
function commitId(hub: DevHub, position: number): string {
  hub.moveBranch(REPO, 'lookup', position);
  return hub.commitOf(REPO, 'lookup');
}

function injectFault(faults: HubFaults, plan: HubFaultPlan) {
  const target = plan.origin === 'cdn' ? { origin: 'cdn', method: 'GET' } : { origin: 'hub' };
  return faults.inject(faultOf(plan), { ...(target as { origin: 'hub' | 'cdn' }), after: plan.after });
}

function faultOf({ kind, at }: HubFaultPlan): Fault {
  switch (kind) {
    case 'flip':
      return { body: (chunks) => flipped(chunks, at) };
    case 'cut':
      return truncated(at);
    case 'slow':
      return { body: (chunks) => paced(chunks, MiB, at) };
    case 'reset':
      return { instead: 'reset' };
    case 'reset-body':
      return { body: (chunks) => broken(chunks, at) };
    case '429':
      return rateLimited(1);
    case '5xx':
      return serverError(503);
    case 'expired':
      return expiredUrl();
    case 'pause':
      return { body: (chunks) => pausing(chunks, at) };
    case 'stall':
      return { instead: 'hang' };
  }
}

/** One wrong bit, this far into the answer or at its end. */
async function* flipped(chunks: BodyChunks, at: number): AsyncGenerator<Uint8Array> {
  let position = 0;
  let held: Buffer | undefined;
  for await (const chunk of chunks) {
    if (held !== undefined) yield held;
    held = Buffer.from(chunk);
    if (at >= position && at < position + held.length) held[at - position] = (held[at - position] ?? 0) ^ 1;
    position += held.length;
  }
  if (held === undefined) return;
  // A short answer has its last byte changed.
  if (at >= position) held[held.length - 1] = (held[held.length - 1] ?? 0) ^ 1;
  yield held;
}

async function* broken(chunks: BodyChunks, at: number): AsyncGenerator<Uint8Array> {
  let position = 0;
  for await (const chunk of chunks) {
    if (position + chunk.length > at) throw new Error('Reset on purpose');
    position += chunk.length;
    yield chunk;
  }
}

/** Silence for a while, shorter than what is taken for the end. */
async function* pausing(chunks: BodyChunks, at: number): AsyncGenerator<Uint8Array> {
  let position = 0;
  let paused = false;
  for await (const chunk of chunks) {
    position += chunk.length;
    if (!paused && position > at) {
      paused = true;
      await delay(PAUSE_MS);
    }
    yield chunk;
  }
}

/** At most so many bytes per second, for the first bytes or for all of them. */
async function* paced(chunks: BodyChunks, pace: number | undefined, first = Infinity): AsyncGenerator<Uint8Array> {
  const begun = performance.now();
  let sent = 0;
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; start += STEP) {
      const piece = chunk.subarray(start, start + STEP);
      sent += piece.length;
      const dueMs = pace === undefined || sent > first ? 0 : (sent / pace) * 1000 - (performance.now() - begun);
      if (dueMs > 2) await delay(dueMs);
      yield piece;
    }
  }
}

async function* counted(chunks: BodyChunks, onBytes: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk;
    // Asked for the next piece: this one was handed to the socket.
    onBytes(chunk.length);
  }
}
