import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setProcessDefaults } from '../../src/config/process-defaults.js';
import type { StorePlace } from '../world/store-access.js';
import { within } from '../world/process-groups.js';
import type { Finding, FromReader, ReaderCounts, ToReader, WatchedDir } from './messages.js';

/** The process that reads while others write. */
export interface Reader {
  readonly watch: (place: StorePlace, dirs: readonly WatchedDir[], onPublished: (dir: string) => void) => Watch;
  readonly stop: () => void;
}

export interface Watch {
  readonly findings: readonly Finding[];
  /** Waits until every Dir was read through once more. */
  readonly lookAgain: () => Promise<void>;
  readonly end: () => Promise<ReaderCounts>;
}

const PATIENCE_MS = 60_000;

/** Starts the reader; one is enough for all rounds. */
export function startReader(): Reader {
  setProcessDefaults();
  const script = fileURLToPath(new URL('reader-process.ts', import.meta.url));
  const child = fork(script, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let listener: (message: FromReader) => void = () => undefined;
  child.on('message', (message: FromReader) => {
    listener(message);
  });
  const send = (message: ToReader) => {
    child.send(message);
  };
  return {
    watch: (place, dirs, onPublished) => {
      const findings: Finding[] = [];
      const waiting: { looked?: () => void; counted?: (counts: ReaderCounts) => void } = {};
      listener = (message) => {
        if (message.kind === 'published') onPublished(message.dir);
        else if (message.kind === 'finding') findings.push(message.finding);
        else if (message.kind === 'looked') waiting.looked?.();
        else waiting.counted?.(message.counts);
      };
      send({ kind: 'watch', place, dirs });
      return {
        findings,
        lookAgain: async () => {
          const looked = new Promise<void>((resolve) => {
            waiting.looked = resolve;
          });
          send({ kind: 'look-again' });
          if (!(await within(looked, PATIENCE_MS))) throw new Error('The reader says nothing');
        },
        end: async () => {
          let counts: ReaderCounts = { checks: 0, objects: 0, bytes: 0, failed: 0 };
          const counted = new Promise<void>((resolve) => {
            waiting.counted = (told) => {
              counts = told;
              resolve();
            };
          });
          send({ kind: 'unwatch' });
          await within(counted, PATIENCE_MS);
          return counts;
        },
      };
    },
    stop: () => {
      child.kill('SIGKILL');
    },
  };
}
