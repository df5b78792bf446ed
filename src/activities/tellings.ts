import type {
  BatchRequest,
  BatchResult,
  Dir,
  PlanOutcome,
  PrefetchSpec,
  ShardOutcome,
  ShardStep,
  ShardStepResult,
} from '../core/contract.js';
import { counted, formatBytes } from '../core/progress-text.js';
import type { Told, Telling } from './told.js';

/** The commit that a run is about. */
export const resolved: Telling<PrefetchSpec> = {
  end: ({ repo, revision, commit }) => ({
    message: `Resolved ${repo}@${revision} to ${commit}`,
    fields: { repo, revision, commit },
  }),
};

/** A hit, or what is to be brought. */
export function planned({ repo }: PrefetchSpec): Telling<PlanOutcome> {
  return {
    end: (outcome) => {
      if (outcome.kind === 'hit') return hit(outcome.dir);
      const { fetchFiles: files, fetchBytes: bytes, batchCount: batches, fileCount, totalBytes } = outcome.plan;
      const whole = `${counted(fileCount, 'file')}, ${formatBytes(totalBytes)}`;
      return {
        message: `Planned ${repo}: ${formatBytes(bytes)} in ${counted(files, 'file')} to bring (of ${whole})`,
        fields: { repo, files, bytes, batches, fileCount, totalBytes },
      };
    },
  };
}

/** The bytes of a batch. */
export function transferred({ spec: { repo }, batch }: BatchRequest): Telling<BatchResult> {
  const which = `${repo}, batch ${String(batch + 1)}`;
  return {
    start: { message: `Transferring ${which}`, fields: { repo, batch } },
    end: ({ files, bytes, fetchedBytes }, durationMs) => ({
      message: `Transferred ${which}: ${counted(files, 'file')}, ${rated(bytes, fetchedBytes, durationMs)}`,
      fields: { repo, batch, files, bytes, fetchedBytes, bytesPerSecond: rate(fetchedBytes, durationMs) },
    }),
  };
}

/** A Dir that is there from now on. */
export const published: Telling<Dir> = { end: (dir) => ofDir('Published', dir) };

/** A Dir that a caller waited for. */
export const awaited: Telling<Dir> = { end: (dir) => ofDir('There is', dir) };

/** A sharded Dir that was made before, if there is one. */
export const found: Telling<Dir | undefined> = { end: (dir) => (dir === undefined ? undefined : hit(dir)) };

/** A sharded Dir that is there already, or the work for it. */
export function plannedShards({ repo }: PrefetchSpec): Telling<ShardOutcome> {
  return {
    end: (outcome) => {
      if (outcome.kind === 'hit') return hit(outcome.dir);
      const { engine, reason, tensorParallelSize, parts, totalBytes } = outcome.plan;
      return {
        message: `Planned the shards of ${repo}: ${formatBytes(totalBytes)} for ${String(tensorParallelSize)} ranks by engine ${engine} (${reason})`,
        fields: { repo, engine, tensorParallelSize, parts, totalBytes },
      };
    },
  };
}

/** The bytes of one step of a sharding. */
export function sharded(
  verb: 'Sharded' | 'Copied' | 'Checked',
  { dirKey, number }: ShardStep
): Telling<ShardStepResult> {
  const which = number === undefined ? dirKey : `${dirKey}, number ${String(number)}`;
  const fields = { dirKey, ...(number === undefined ? {} : { number }) };
  return {
    end: ({ files, bytes }, durationMs) => ({
      message: `${verb} ${which}: ${counted(files, 'file')}, ${rated(bytes, bytes, durationMs)}`,
      fields: { ...fields, files, bytes, bytesPerSecond: rate(bytes, durationMs) },
    }),
  };
}

function hit(dir: Dir): Told {
  return ofDir('Hit:', dir);
}

function ofDir(word: string, { repo, commit, path: dir, fileCount: files, totalBytes: bytes }: Dir): Told {
  return {
    message: `${word} ${repo} at ${dir} (${counted(files, 'file')}, ${formatBytes(bytes)})`,
    fields: { repo, commit, dir, files, bytes },
  };
}

function rated(bytes: number, moved: number, durationMs: number): string {
  const speed = moved === 0 ? '' : ` (${formatBytes(rate(moved, durationMs))}/s)`;
  return `${formatBytes(bytes)} in ${(durationMs / 1000).toFixed(1)} s${speed}`;
}

function rate(bytes: number, durationMs: number): number {
  return Math.round((bytes * 1000) / Math.max(1, durationMs));
}
