import type { ErrorCode } from '../../src/core/errors.js';
import type { PartDescription, Receipt, Upload } from '../../src/storage/object-store.js';
import type { Content } from './content.js';

/** What a call asks for besides its key. */
export interface Conditions {
  readonly ifAbsent?: boolean;
  readonly ifMatch?: string;
}

/**
 * One request to the store, or to the Hub's CDN (`fetch`): where a process stands still until the exploration goes on
 * with it. `token` names what the call makes, for names must be the same whatever the others did before.
 */
export type Call =
  | { readonly op: 'head' | 'get' | 'delete' | 'findUploads'; readonly key: string }
  | { readonly op: 'list' | 'listFolders'; readonly prefix: string }
  | {
      readonly op: 'put';
      readonly key: string;
      readonly body: Content;
      readonly conditions: Conditions;
      readonly token: string;
    }
  | {
      readonly op: 'copy';
      readonly from: string;
      readonly to: string;
      readonly conditions: Conditions;
      readonly token: string;
    }
  | {
      readonly op: 'createUpload';
      readonly key: string;
      readonly size: number;
      readonly partSize: number;
      readonly token: string;
    }
  | { readonly op: 'listParts' | 'abortUpload'; readonly upload: Upload }
  | { readonly op: 'takeOver'; readonly upload: Upload; readonly token: string }
  | { readonly op: 'partTarget'; readonly upload: Upload; readonly part: PartDescription }
  | { readonly op: 'putPart'; readonly target: string; readonly body: Content }
  | { readonly op: 'confirmPart'; readonly upload: Upload; readonly part: PartDescription; readonly token: string }
  | {
      readonly op: 'completeUpload';
      readonly upload: Upload;
      readonly parts: readonly Receipt[];
      readonly size: number;
      readonly ifAbsent: boolean;
    }
  | { readonly op: 'read'; readonly key: string }
  | { readonly op: 'fetch'; readonly url: string; readonly start: number; readonly end: number };

/** What came of a call; `key` tells results apart. */
export type Result =
  | { readonly ok: true; readonly value: unknown; readonly key: string }
  | { readonly ok: false; readonly code: ErrorCode; readonly key: string };

export function answer(value: unknown): Result {
  return { ok: true, value, key: value === undefined ? 'nothing' : JSON.stringify(value, short) };
}

export function refusal(code: ErrorCode): Result {
  return { ok: false, code, key: `!${code}` };
}

/** A call as one line of a trace. */
export function describe(call: Call): string {
  const { op, ...rest } = call;
  const words = Object.values(rest).map((value) => (typeof value === 'string' ? value : JSON.stringify(value, short)));
  return `${op} ${words.join(' ')}`.replaceAll(/([0-9a-f])\1{39}/g, '$1…');
}

function short(_name: string, value: unknown): unknown {
  return isContent(value) ? `#${value.id}` : value;
}

function isContent(value: unknown): value is Content {
  return typeof value === 'object' && value !== null && 'gitSha1' in value && 'bytes' in value;
}
