import type { Content } from '../../src/dev-hub/content.js';

/** Copies the chunks of a range together. */
export async function readContent(content: Content, start = 0, end = content.size): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content.chunks(start, end)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
