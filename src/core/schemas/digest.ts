import { z } from 'zod';

/** The digest of a file as the Hub tells it: SHA-256 for LFS and xet, else the id of git's blob. */
export const digestSchema = z.discriminatedUnion('algorithm', [
  z.strictObject({ algorithm: z.literal('sha256'), hex: z.string() }),
  z.strictObject({ algorithm: z.literal('gitSha1'), hex: z.string() }),
]);
