/** The name that vLLM gives to a part of a rank: plain decimal numbers from 0. */
export function shardFileName({ filePattern }: { readonly filePattern: string }, rank: number, part: number): string {
  return filePattern.replaceAll('{rank}', String(rank)).replaceAll('{part}', String(part));
}

/**
 * What vLLM loads from a folder or bucket, whoever wrote it: it puts `*` where the part stands. From S3 it takes every key
 * that ends in such a name, in folders too.
 * @param root - of the store, or of the Dir
 */
export function namesThatLoad(filePattern: string, root: string): RegExp {
  const [before, any] = root.startsWith('s3:') ? ['.*', '.*'] : ['', '[^/]*'];
  return new RegExp(`^${before}${ofAnyRank(filePattern).replaceAll('{part}', any)}$`, 's');
}

/** The part that a file name stands for, or -1. */
export function partOf(filePattern: string, path: string): number {
  const pattern = ofAnyRank(filePattern)
    .replace('{part}', String.raw`(\d+)`)
    .replaceAll('{part}', String.raw`\d+`);
  const part = new RegExp(`^${pattern}$`).exec(path)?.[1];
  return part === undefined ? -1 : Number(part);
}

/** A file pattern as a regular expression in which only the part is left to be filled in. */
function ofAnyRank(filePattern: string): string {
  const escaped = filePattern.replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`);
  return escaped.replaceAll('{rank}', String.raw`\d+`);
}
