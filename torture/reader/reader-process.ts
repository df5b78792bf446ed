import { setTimeout as delay } from 'node:timers/promises';
import { accessStore, type StoreAccess } from '../world/store-access.js';
import { readDir, type DirReading } from './read-dir.js';
import type { Finding, FromReader, ReaderCounts, ToReader, WatchedDir } from './messages.js';

/** Reads published Dirs all the time, as inference does, and tells its parent what is wrong with them. */
process.on('message', (message: ToReader) => {
  if (message.kind === 'watch') {
    // A round that failed half-way did not say that it is over.
    watching?.end();
    watching = watch(message.place, message.dirs);
  } else if (message.kind === 'look-again') watching?.lookAgain();
  else watching?.end();
});
process.once('disconnect', () => process.exit());

interface Watching {
  readonly lookAgain: () => void;
  readonly end: () => void;
}

let watching: Watching | undefined;

/** Least rest between two readings; a short one costs the processes that are tested their processor. */
const REST_MS = 250;
const EMPTY_REST_MS = { file: 20, s3: 200 };

function watch(place: Parameters<typeof accessStore>[0], dirs: readonly WatchedDir[]): Watching {
  const store = accessStore(place);
  let over = false;
  const isOver = () => over;
  let wanted = 0;
  const counts = { checks: 0, objects: 0, bytes: 0, failed: 0 };
  const loop = async () => {
    const stood = new Map<string, Uint8Array>();
    while (!over) {
      const asked = wanted;
      let read = false;
      const begun = performance.now();
      for (const dir of dirs) {
        if (isOver()) break;
        read = (await lookAt(store, dir, { stood, counts })) || read;
      }
      if (asked > 0 && asked === wanted) {
        wanted = 0;
        tell({ kind: 'looked' });
      }
      await delay(read ? Math.max(REST_MS, 2 * (performance.now() - begun)) : EMPTY_REST_MS[place.kind]);
    }
    store.close();
    tell({ kind: 'counts', counts });
  };
  void loop();
  return {
    lookAgain: () => {
      wanted += 1;
    },
    end: () => {
      over = true;
    },
  };
}

interface Memory {
  /** The manifests that stood when they were last looked at. */
  readonly stood: Map<string, Uint8Array>;
  readonly counts: { -readonly [K in keyof ReaderCounts]: ReaderCounts[K] };
}

/** True when the Dir is published. */
async function lookAt(store: StoreAccess, dir: WatchedDir, { stood, counts }: Memory): Promise<boolean> {
  let reading: DirReading | undefined;
  try {
    reading = await readDir(store, dir, () => {
      if (!stood.has(dir.key)) tell({ kind: 'published', dir: dir.key });
    });
  } catch {
    counts.failed += 1;
    return true;
  }
  if (reading === undefined) {
    if (stood.delete(dir.key)) {
      tellFinding({ kind: 'withdrawn-manifest', key: dir.key, detail: 'the manifest of a published Dir is gone' });
    }
    return false;
  }
  stood.set(dir.key, reading.manifest);
  counts.objects += reading.objects;
  counts.bytes += reading.bytes;
  for (const finding of reading.findings) tellFinding(finding);
  if (reading.stoodAllTheTime) counts.checks += 1;
  return true;
}

function tellFinding(finding: Omit<Finding, 'time'>): void {
  tell({ kind: 'finding', finding: { ...finding, time: new Date().toISOString() } });
}

function tell(message: FromReader): void {
  process.send?.(message);
}
