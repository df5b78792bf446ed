import type { WatchedDir } from '../reader/messages.js';
import type { RoundPlan } from '../plan/round-plan.js';
import type { HubBench, SeededFile } from '../world/hub-bench.js';
import type { Disturbances } from './disturb.js';
import type { Violation } from './record.js';

const MiB = 1024 * 1024;

export interface Refetched {
  readonly cdnBytes: number;
  readonly neededBytes: number;
  readonly refetchedBytes?: number;
  readonly violations: readonly Violation[];
}

/**
 * Counts what the CDN sent twice. Where several write at once, each may fetch all, so that nothing follows from it. Nor
 * does it where a home goes over to streaming: what it had on its disk by then is of no use to it.
 */
export function countRefetched(
  plan: RoundPlan,
  facts: {
    readonly hub: HubBench;
    readonly dirs: readonly WatchedDir[];
    readonly counts: Disturbances['counts'];
    readonly storeHits: number;
  }
): Refetched {
  const { hub, dirs, counts, storeHits } = facts;
  const cdn = hub.hub.requests.filter(({ origin }) => origin === 'cdn');
  const cdnBytes = cdn.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
  const contents = new Map(dirs.flatMap(({ files }) => files.filter(isFromCdn).map((file) => [file.seed, file.size])));
  const neededBytes = [...contents.values()].reduce((sum, size) => sum + size, 0);
  if (plan.runs.length > 1 || changesMode(plan)) return { cdnBytes, neededBytes, violations: [] };
  const refetchedBytes = Math.max(0, cdnBytes - neededBytes);
  const losses = counts.kills + counts.terms + counts.servers + counts.stops;
  // A file with a wrong byte is fetched again on purpose.
  const flips = plan.hubFaults.filter(({ kind }) => kind === 'flip').length;
  const largest = Math.max(...plan.model.large.map(({ size }) => size));
  // Where a store cannot tell whether something has a key, what was begun of a file is of no use to the next process.
  const perLoss = plan.store === 'unconditional' ? neededBytes : inFlight(plan);
  const allowed = losses * perLoss + (hub.hits() + storeHits) * largestPart(plan) + flips * largest;
  const detail =
    `${mib(refetchedBytes)} MiB of ${mib(neededBytes)} were fetched twice, where ${mib(allowed)} are explained by ` +
    `${String(losses)} losses and ${String(hub.hits() + storeHits)} faults`;
  return {
    cdnBytes,
    neededBytes,
    ...(flips > 0 ? {} : { refetchedBytes }),
    violations: refetchedBytes > allowed ? [{ kind: 'refetched', detail }] : [],
  };
}

function changesMode({ homes, workers }: RoundPlan): boolean {
  return [...homes, ...workers].some(({ settings }) => new Set(settings.map(({ transfer }) => transfer)).size > 1);
}

/** Parts that are fetched, and as many that wait to be stored; memory is a limit to both. */
function inFlight(plan: RoundPlan): number {
  const settings = [...plan.homes, ...plan.workers].flatMap((place) => place.settings);
  const bytes = settings.map(({ lanes, partMiB, memoryMiB }) => Math.min(2 * lanes * partMiB, memoryMiB) * MiB);
  // Each worker of a run may have a file of its own in flight.
  return Math.max(...bytes) * Math.max(1, plan.workers.length);
}

function largestPart(plan: RoundPlan): number {
  return (
    Math.max(...[...plan.homes, ...plan.workers].flatMap(({ settings }) => settings.map(({ partMiB }) => partMiB))) *
    MiB
  );
}

/** The Hub's own rule: weights and large files lie on the CDN. */
function isFromCdn({ path, size }: SeededFile): boolean {
  return size >= MiB || (/\.(?:safetensors|bin)$/.test(path) && size > 0);
}

function mib(bytes: number): string {
  return (bytes / MiB).toFixed(1);
}
