import { z } from 'zod';
import { metadataSchema } from './input.js';
import { dirFormat } from './dir.js';

const hex = (length: number) => z.string().regex(new RegExp(`^[0-9a-f]{${String(length)}}$`));

export const manifestFileSchema = z
  .strictObject({
    path: z.string().min(1).describe('Path in the repo, as it is; the object key is the Dir followed by it'),
    size: z.number().int().min(0).describe('Bytes'),
    sha256: hex(64).optional().describe('SHA-256 of the content (LFS and xet files)'),
    gitSha1: hex(40).optional().describe('Git blob id of the content (all other files)'),
    etag: z.string().optional().describe("The store's own id of the object when it was verified; opaque"),
  })
  .refine((file) => (file.sha256 === undefined) !== (file.gitSha1 === undefined), 'expected sha256 or gitSha1')
  // The same rule for the published JSON Schema, which knows nothing of the line above.
  .meta({ oneOf: [{ required: ['sha256'] }, { required: ['gitSha1'] }] });

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
  fileCount: z.number().int().min(0),
  totalBytes: z.number().int().min(0),
  files: z.array(manifestFileSchema),
});

export type Manifest = z.output<typeof manifestSchema>;
export type ManifestFile = z.output<typeof manifestFileSchema>;
