import { formatBytes } from '../core/progress-text.js';
import { shardFileName } from '../shard/file-names.js';
import { describeRange } from '../shard/layout/vllm-version.js';
import type { ShardPart, RankLayout } from '../shard/rank-layout.js';
import type { DraftedPlan } from '../steps/shards/draft-plan.js';

/** The layout for people: what decides it, and every file. */
export function describeShards({ plan, summary, layout }: DraftedPlan): string {
  const rows: [string, string][] = [
    ['Model', plan.model.repo],
    ['Engine', `${summary.engine} (${summary.reason})`],
    ['Ranks', String(summary.tensorParallelSize)],
    ['Dtype', summary.dtype],
  ];
  if (layout === undefined) return rows.map(asLine).join('\n');
  rows.push(
    ['Layout', `${layout.profile.id}, of vLLM ${layout.profile.versions.map(describeRange).join(', ')}`],
    ['Reads', `${formatBytes(sourceBytes(layout))} in ${plural(layout.files.length, 'weights file')}`],
    ['Writes', `${formatBytes(summary.totalBytes)} in ${plural(layout.parts.length * layout.ranks, 'file')}`]
  );
  if (plan.headDiffers) rows.push(['Config', 'tie_word_embeddings becomes false: the output head is another tensor']);
  const files = layout.parts.map(
    (part) => `  ${namesOf(layout, part)}  ${formatBytes(part.size)} each, ${plural(part.tensors.length, 'tensor')}`
  );
  return [...rows.map(asLine), 'Files', ...files].join('\n');
}

/** The same for programs, with every tensor and its place. */
export function shardsAsJson({ plan, summary, layout }: DraftedPlan): object {
  return {
    engine: summary.engine,
    reason: summary.reason,
    tensorParallelSize: summary.tensorParallelSize,
    dtype: summary.dtype,
    vllmVersion: plan.request.args.vllmVersion,
    totalBytes: summary.totalBytes,
    ...(layout === undefined
      ? {}
      : {
          profile: layout.profile.id,
          vllmVersions: layout.profile.versions,
          untied: plan.headDiffers,
          parts: layout.parts.map(({ number: part, size, tensors }) => ({
            part,
            files: Array.from({ length: layout.ranks }, (_, rank) => shardFileName(layout, rank, part)),
            size,
            tensors: tensors.map(({ name, dtype, shape, start: begin, end }) => ({ name, dtype, shape, begin, end })),
          })),
        }),
  };
}

function asLine([name, value]: readonly [string, string]): string {
  return `${name.padEnd(7)} ${value}`;
}

function namesOf(layout: RankLayout, { number: part }: ShardPart): string {
  const first = shardFileName(layout, 0, part);
  return layout.ranks === 1 ? first : `${first} … ${shardFileName(layout, layout.ranks - 1, part)}`;
}

function plural(count: number, what: string): string {
  return `${String(count)} ${what}${count === 1 ? '' : 's'}`;
}

function sourceBytes({ files }: RankLayout): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}
