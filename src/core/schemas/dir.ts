import { z } from 'zod';

/** How the weights lie in a Dir: as the repo has them, or one set of files per rank. */
export const dirFormat = z.enum(['huggingface', 'vllm-sharded-state']);

/** The engine that wrote the shards; `auto` is resolved by then. */
export const shardEngine = z.enum(['vllm', 'native']);

/** The result of a prefetch; `schemas/` publishes it for callers in other languages. */
export const dirSchema = z.strictObject({
  path: z.string().describe('Absolute, percent-encoded URL of the Dir, ending in "/"'),
  artifactName: z.string(),
  repo: z.string(),
  revision: z.string().describe('What was asked for: branch, tag or commit'),
  commit: z.string().describe('The commit that the revision was resolved to'),
  format: dirFormat,
  fileCount: z.number().int(),
  totalBytes: z.number().int(),
  manifestPath: z.string().describe('Absolute, percent-encoded URL of the manifest'),
  manifestDigest: z.string().describe('"sha256:" and the hex digest of the manifest object'),
  sharding: z
    .strictObject({
      engine: shardEngine,
      tensorParallelSize: z.number().int(),
      dtype: z.string(),
      vllmVersion: z.string(),
    })
    .optional(),
});

/** A published model: every byte in it matched the Hub's digest, or gives back one that did. */
export type Dir = z.output<typeof dirSchema>;
