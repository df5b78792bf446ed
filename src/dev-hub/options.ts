import type { Intercept } from './fault.js';

/** What a dev Hub serves and how: everything but the repos has a default. */
export interface DevHubOptions {
  /** Repos by value, or a folder `DIR/<owner>/<name>/...` (see {@link folderRepos}). */
  readonly repos: readonly DevRepo[] | { readonly folder: string };
  readonly host?: string;
  /** 0, the default, lets the system choose. */
  readonly port?: number;
  readonly cdnPort?: number;
  /** Accounts by token; a token that is not listed is refused everywhere, as on the Hub. */
  readonly tokens?: Readonly<Record<string, DevAccount>>;
  /** Files of this size and more are LFS files: served by the CDN, known by SHA-256. Default 1 MiB. */
  readonly lfsThresholdBytes?: number;
  /** Most entries in one page of a file listing. Default 1,000. */
  readonly pageSize?: number;
  /** How long a redirect to the CDN may be used. Default 3,600; 0 makes every one expired. */
  readonly signedUrlSeconds?: number;
  /** Whether small files come with 200 at once or by a 307 to `/api/resolve-cache/`. Default `redirect`. */
  readonly smallFiles?: 'direct' | 'redirect';
  /** A real quota per token and kind of request; without it no request is refused. */
  readonly rateLimit?: DevRateLimit;
  /** JSON file that keeps digests between runs, by path, size and time of change. Default: none is kept. */
  readonly digestCache?: string;
  /** Called when a request is over. */
  readonly onRequest?: (record: RequestRecord) => void;
  /** Called for each file whose digest had to be computed at start. */
  readonly onHashed?: (file: { readonly repo: string; readonly path: string; readonly size: number }) => void;
  /** Decides for each request whether something goes wrong with it. */
  readonly intercept?: Intercept;
  /** Gives up starting. */
  readonly signal?: AbortSignal;
}

/** Whose token it is, and what it opens. */
export interface DevAccount {
  readonly name: string;
  /** Gated and private repos that it may read. Default: all. */
  readonly repos?: readonly string[];
}

/** So many requests per window, as the Hub's headers tell it. */
export interface DevRateLimit {
  readonly quota: number;
  readonly windowSeconds: number;
}

/** A repo; positions count its commits from 0. */
export interface DevRepo extends DevAccess {
  /** `owner/name` is a model, `datasets/owner/name` a data set. */
  readonly id: string;
  readonly commits: readonly DevCommit[];
  /** Default: `main` is the newest commit. A name like `refs/pr/1` is taken as it is. */
  readonly branches?: Readonly<Record<string, number>>;
  readonly tags?: Readonly<Record<string, number>>;
}

/** Who may see a repo and read its files. */
export interface DevAccess {
  readonly gated?: boolean | 'auto' | 'manual';
  readonly private?: boolean;
  readonly disabled?: boolean;
}

/** All files of a commit by their path, not the difference to the one before. */
export interface DevCommit {
  readonly files: Readonly<Record<string, DevFile>>;
}

/**
 * Bytes at hand, a file on disk, or pseudo-random bytes made on the fly (the same for the same seed and size).
 * `sha256` is believed as it is given: for sizes that nobody wants to hash, and for digests that are meant to be wrong.
 */
export type DevFile =
  | { readonly bytes: Uint8Array; readonly sha256?: string }
  | { readonly file: string; readonly sha256?: string }
  | { readonly size: number; readonly seed: string; readonly sha256?: string };

/** One request as it was seen: recorded when it comes, completed while it is answered. Holds no secret. */
export interface RequestRecord {
  readonly origin: 'hub' | 'cdn';
  readonly method: string;
  /** Decoded, without the query. */
  readonly path: string;
  readonly range: string | undefined;
  readonly hadAuthorization: boolean;
  /** 0 until the head of the answer is sent, and for ever where none is. */
  readonly status: number;
  /** Bytes of the body handed to the socket. */
  readonly bytesSent: number;
}

/** A running dev Hub. */
export interface DevHub {
  /** What `HF_ENDPOINT` is set to. */
  readonly url: string;
  readonly cdnUrl: string;
  /** The latest requests (up to 100,000), oldest first. */
  readonly requests: readonly RequestRecord[];
  /** Commit that a branch, a tag or a commit id stands for now. */
  readonly commitOf: (repo: string, revision: string) => string;
  /** Points a branch, new or old, at another commit of the repo. */
  readonly moveBranch: (repo: string, branch: string, position: number) => void;
  /** Changes who may see and read a repo; what is not named stays. */
  readonly setAccess: (repo: string, access: DevAccess) => void;
  /** Ends both servers and every open connection. */
  readonly close: () => Promise<void>;
}
