import { PrefetchError, isPrefetchError, type ErrorCode } from '../../core/errors.js';

/** What the message of a failed file operation tells. */
export interface FileContext {
  /** What was being done, as in "could not write". */
  readonly action: string;
  readonly path: string;
  /** Bytes that the action needs on the disk. */
  readonly neededBytes?: number;
}

const codes: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'DiskFull',
  EDQUOT: 'DiskFull',
  EFBIG: 'DiskFull',
  EACCES: 'StoreAccessDenied',
  EPERM: 'StoreAccessDenied',
  EROFS: 'StoreAccessDenied',
  ENOTDIR: 'StoreConflict',
  EISDIR: 'StoreConflict',
  EEXIST: 'StoreConflict',
  ENOTEMPTY: 'StoreConflict',
  ELOOP: 'StoreConflict',
  ENAMETOOLONG: 'UnsafePath',
};

const advice: Partial<Record<ErrorCode, string>> = {
  DiskFull: 'free some space or choose another store',
  StoreAccessDenied: 'the user who runs this needs the right to do that',
  StoreConflict: 'a file stands where a folder is needed, or a folder where a file is needed',
  UnsafePath: 'the file system takes no name that long',
};

/** Runs an action on files and turns what the system says into the errors of a store. */
export async function withFileErrors<T>(context: FileContext, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw fileError(error, context);
  }
}

/** The store's error for a failed file operation; errors that say nothing about files come back as they are. */
export function fileError<T>(error: T, context: FileContext): T | PrefetchError {
  const system = systemCode(error);
  if (isPrefetchError(error) || system === undefined) return error;
  const code = codes[system] ?? 'StoreUnavailable';
  const needed = context.neededBytes === undefined ? '' : `, which needs ${String(context.neededBytes)} bytes`;
  const hint = advice[code];
  return new PrefetchError(
    code,
    `Could not ${context.action} ${context.path}${needed} (${system})${hint === undefined ? '' : `: ${hint}`}`,
    { details: { path: context.path, system, neededBytes: context.neededBytes } }
  );
}

/** True for a failure of the file system with one of these codes, such as `ENOENT`. */
export function isSystemError(error: unknown, ...wanted: readonly string[]): boolean {
  const system = systemCode(error);
  return system !== undefined && wanted.includes(system);
}

function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
