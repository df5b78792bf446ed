import { z } from 'zod';

export const digestSchema = z.discriminatedUnion('algorithm', [
  z.strictObject({ algorithm: z.literal('sha256'), hex: z.string() }),
  z.strictObject({ algorithm: z.literal('gitSha1'), hex: z.string() }),
]);
