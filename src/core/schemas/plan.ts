import { z } from 'zod';
import { digestSchema } from './digest.js';

const plannedFile = z.strictObject({
  path: z.string(),
  size: z.number().int().min(0),
  digest: digestSchema,
  /** The object is in the Dir already and was verified under this etag. */
  verifiedEtag: z.string().optional(),
  /** An object lies at this key, but nobody vouches for it: to be read back before it is trusted. */
  present: z.literal(true).optional(),
  /** The same bytes lie in the same store under this key. */
  copyFrom: z.strictObject({ key: z.string(), etag: z.string() }).optional(),
});

/** What is to be done for one Dir; it lies in the store while the run goes on. */
export const planSchema = z.strictObject({
  version: z.literal(1),
  /** Digest of all that decides the work; batch records belong to one plan id. */
  planId: z.string(),
  commit: z.string(),
  force: z.number().int().optional(),
  files: z.array(plannedFile),
  /** Positions in `files`, one list per activity. Files with `verifiedEtag` are in none. */
  batches: z.array(z.array(z.number().int().min(0))),
});

/** What was done of one batch; whoever tries it again goes on from here. */
export const batchRecordSchema = z.strictObject({
  version: z.literal(1),
  planId: z.string(),
  batch: z.number().int().min(0),
  /** Files that are in the store and verified: position in the plan's `files`, and the etag they had then. */
  verified: z.array(z.strictObject({ file: z.number().int().min(0), etag: z.string() })),
});

/** A plan that was read from the store and checked. */
export type Plan = z.output<typeof planSchema>;
/** A file of a plan, with what is known of it in the store. */
export type PlannedFile = z.output<typeof plannedFile>;
/** A record that was read from the store and checked. */
export type BatchRecord = z.output<typeof batchRecordSchema>;
