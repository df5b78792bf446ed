import type { ByteLocation } from '../core/byte-source.js';
import type { Digest } from '../core/digest.js';

/** The Hub as this package needs it. Every failure is a `PrefetchError` with the Hub's own name for it. */
export interface Hub {
  /** Origin, without a trailing slash: `https://huggingface.co`. */
  readonly endpoint: string;
  /** Checks a token: `InvalidToken` when the Hub refuses it. The answer is remembered for a while. */
  whoAmI(options: HubOptions & { readonly token: string }): Promise<{ readonly name: string }>;
  /** Resolves a branch, tag or commit. `RepoNotFound`, `RevisionNotFound`, `InvalidToken`, `DisabledRepo`. */
  resolveRevision(repo: string, revision: string, options?: HubOptions): Promise<ResolvedRevision>;
  /** Fails as `GatedRepo`, `RepoNotFound` or `InvalidToken` when files of the repo may not be read. A mirror may not know. */
  checkAccess(repo: string, options?: HubOptions): Promise<void>;
  /** Every file of a commit, sub-folders included. Paths are as the repo has them; nothing is checked or left out here. */
  listFiles(repo: string, commit: string, options?: HubOptions): AsyncIterable<ListedFile>;
  /** What the Hub says about one file itself, for what its listing leaves out; what that has is not looked for further. */
  describe(file: FileReference & FileFacts, options?: HubOptions): Promise<FileFacts>;
  /** Where the bytes of a file are: a signed CDN URL without the token, or the Hub's own URL with it. Lives for a while. */
  locate(file: FileReference, options?: HubOptions): Promise<ByteLocation>;
  /** A small file whole; `TruncatedSource` when the answer has not `size` bytes. */
  read(file: FileReference & { readonly size: number }, options?: HubOptions): Promise<Uint8Array>;
}

/** With whose token the Hub is asked; without one, as anybody. */
export interface HubOptions {
  readonly token?: string;
  readonly signal?: AbortSignal;
}

/** What the Hub says a revision is at this moment. */
export interface ResolvedRevision {
  /** 40 hex digits. */
  readonly commit: string;
  readonly private: boolean;
  readonly gated: boolean;
  readonly tags: readonly string[];
}

/** One file of one commit: its content never changes. */
export interface FileReference {
  /** A model, or a data set as the Hub writes it: `datasets/owner/name`. */
  readonly repo: string;
  readonly commit: string;
  /** Path in the repo, not encoded. */
  readonly path: string;
}

/** What may be known of a file's bytes. */
export interface FileFacts {
  readonly size?: number;
  readonly digest?: Digest;
}

/** A file of a listing as it came: a mirror may leave out what the Hub's own listing has. */
export interface ListedFile extends FileFacts {
  readonly path: string;
}

/** A file of a listing, with the digest that its bytes must come to. */
export interface HubFile {
  readonly path: string;
  /** Bytes of the content. */
  readonly size: number;
  readonly digest: Digest;
}
