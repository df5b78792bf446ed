const COMPRESSIONS = ['gzip', 'x-gzip', 'deflate', 'br', 'zstd', 'compress', 'x-compress'];

/**
 * The compressions that `Content-Encoding` names, in the order in which they were applied. Stores and proxies write other
 * things there too, as `aws-chunked`, `none` or `utf-8`, and send the bytes as they are.
 */
export function compressionsOf(contentEncoding: string | undefined): readonly string[] {
  const names = (contentEncoding ?? '').split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => COMPRESSIONS.includes(name));
}
