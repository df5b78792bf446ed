/** What the Hub promises about the bytes of a file: its SHA-256 (LFS and xet files) or its git blob id (all others). */
export type Digest =
  { readonly algorithm: 'sha256'; readonly hex: string } | { readonly algorithm: 'gitSha1'; readonly hex: string };

/** `sha256:…` or `gitSha1:…`: equal strings mean equal bytes. */
export function digestKey(digest: Digest): string {
  return `${digest.algorithm}:${digest.hex}`;
}
