import { z } from 'zod';
import { digestSchema } from './digest.js';
import { shardEngine } from './dir.js';
import { metadataSchema, shardConfigSchema } from './input.js';
import { hex, manifestSchema } from './manifest.js';

const sourceFile = z.strictObject({
  path: z.string(),
  size: z.number().int().min(0),
  etag: z.string(),
  digest: digestSchema.optional(),
});

const tensor = z.tuple([z.string(), z.string(), z.array(z.number().int().min(0)), z.number().int(), z.number().int()]);

const weightsFile = sourceFile.extend({
  headerByteLength: z.number().int().min(0),
  /** Name, dtype, shape, and where the bytes lie in the file's data. */
  tensors: z.array(tensor),
});

/** All that is needed to shard: the layout follows from it, so that every worker lays out the same files. */
export const shardPlanSchema = z.strictObject({
  version: z.literal(1),
  planId: z.string(),
  engine: shardEngine,
  reason: z.string(),
  request: shardConfigSchema,
  /** What `auto` came to. */
  dtype: z.string(),
  profile: z.string().optional(),
  headDiffers: z.boolean(),
  config: z.record(z.string(), z.unknown()),
  source: z.strictObject({
    root: z.string(),
    dirKey: z.string(),
    weights: z.array(weightsFile),
    others: z.array(sourceFile),
  }),
  /** What the manifest says about where the model comes from. */
  model: manifestSchema.pick({ repo: true, revision: true, artifactName: true, selection: true }).extend({
    /** Undefined for a checkpoint that no Hub knows: then its digest stands in. */
    commit: hex(40).optional(),
  }),
  force: z.number().int().optional(),
  metadata: metadataSchema.optional(),
});

/** A step of sharding that is done: files that are in the sharded Dir, and weights files that the ranks give back. */
export const shardRecordSchema = z.strictObject({
  version: z.literal(1),
  planId: z.string(),
  /** Another one each time that it is written. */
  id: hex(16),
  files: z.array(
    z.strictObject({
      path: z.string(),
      size: z.number().int().min(0),
      etag: z.string(),
      sha256: z.string().optional(),
      gitSha1: z.string().optional(),
    })
  ),
  checked: z.array(z.strictObject({ path: z.string(), sha256: hex(64) })),
  /** Of a check: the records of the files that it looked at. What was written anew since was not. */
  of: z.array(hex(16)).optional(),
  /** What the vLLM engine says it was. */
  vllm: z
    .strictObject({ version: z.string(), dtype: z.string(), device: z.enum(['gpu', 'cpu']), untied: z.boolean() })
    .optional(),
});

/** The plan of a sharded Dir, read from the store and checked. */
export type ShardPlan = z.output<typeof shardPlanSchema>;
/** What one step did, read from the store and checked. */
export type ShardRecord = z.output<typeof shardRecordSchema>;
