import { z } from 'zod';
import { staysInDir } from '../repo-path.js';
import { dirFormat, shardEngine } from './dir.js';
import { metadataSchema, shardConfigSchema } from './input.js';

/** Lower-case hex of that many digits. */
export const hex = (length: number) => z.string().regex(new RegExp(`^[0-9a-f]{${String(length)}}$`));

/** One file of a Dir, with exactly one digest of its content. */
export const manifestFileSchema = z
  .strictObject({
    path: z.string().min(1).describe('Path in the repo, as it is; the object key is the Dir followed by it'),
    size: z.number().int().min(0).describe('Bytes'),
    sha256: hex(64).optional().describe('SHA-256 of the content (LFS and xet files)'),
    gitSha1: hex(40).optional().describe('Git blob id of the content (all other files)'),
    etag: z.string().optional().describe("The store's own id of the object when it was verified; opaque"),
  })
  .refine((file) => (file.sha256 === undefined) !== (file.gitSha1 === undefined), 'expected sha256 or gitSha1')
  // Whoever reads a manifest makes keys of them.
  .refine((file) => staysInDir(file.path), 'expected a path inside the Dir')
  // The same rule for the published JSON Schema, which knows nothing of the line above.
  .meta({ oneOf: [{ required: ['sha256'] }, { required: ['gitSha1'] }] });

/** How a sharded Dir was made: vLLM itself checks none of it. */
export const manifestShardingSchema = z.strictObject({
  planId: z.string().describe('Digest of all that decided the bytes'),
  engine: shardEngine,
  reason: z.string().describe('Why this engine'),
  profile: z
    .string()
    .optional()
    .describe('Layout of the native engine; what vLLM calls the tensors depends on its release'),
  vllmVersion: z.string().describe('The vLLM release that it was made for, or by'),
  vllmVersions: z
    .array(z.strictObject({ from: z.string(), to: z.string() }))
    .describe('Releases that are known to write these very files, both ends included'),
  tensorParallelSize: z.number().int().min(1).describe('Ranks: vLLM must be started with just that many'),
  dtype: z.string().describe("Data type of the weights, by vLLM's name"),
  maxFileSize: z.number().int().min(1),
  filePattern: z.string(),
  untied: z.literal(true).optional().describe('config.json was changed: the output head is not the embedding'),
  request: shardConfigSchema.describe('What was asked for'),
  source: z.strictObject({
    path: z.string().describe('URL of the Dir or folder that was sharded'),
    commit: hex(40),
    files: z
      .array(
        z.strictObject({
          path: z.string(),
          size: z.number().int().min(0),
          etag: z.string().describe("The source store's own id of the file when it was read; opaque"),
          sha256: hex(64).optional().describe('Digest of the file, where the ranks were seen to give it back'),
        })
      )
      .describe('The weights files'),
    others: z
      .array(
        z.strictObject({
          path: z.string(),
          size: z.number().int().min(0),
          etag: z.string(),
          sha256: hex(64).optional(),
          gitSha1: hex(40).optional(),
        })
      )
      .describe('What lay beside them; all files where only vLLM knows the model'),
  }),
});

/** The manifest of a Dir; `schemas/` publishes it for those who check one by themselves. */
export const manifestSchema = z.strictObject({
  version: z.literal(1),
  repo: z.string(),
  revision: z.string(),
  commit: hex(40),
  artifactName: z.string(),
  format: dirFormat,
  selection: z.strictObject({
    kind: z.enum(['all', 'vllm']),
    include: z.array(z.string()),
    exclude: z.array(z.string()),
  }),
  force: z.number().int().optional(),
  tool: z.strictObject({ name: z.string(), version: z.string() }),
  createdAt: z.string().describe('ISO 8601, UTC'),
  metadata: metadataSchema.optional(),
  sharding: manifestShardingSchema.optional(),
  fileCount: z.number().int().min(0),
  totalBytes: z.number().int().min(0),
  files: z.array(manifestFileSchema),
});

/** A manifest that was read and checked. */
export type Manifest = z.output<typeof manifestSchema>;
/** How the shards of a Dir were made, and from what. */
export type ManifestSharding = z.output<typeof manifestShardingSchema>;
/** A file of a Dir as its manifest has it. */
export type ManifestFile = z.output<typeof manifestFileSchema>;
