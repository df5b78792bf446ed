import type { ObjectInfo } from '../../src/storage/object-store.js';
import { answer, refusal, type Call, type Conditions, type Result } from './calls.js';
import type { Content } from './content.js';
import { withObject, withoutUpload, type Blob, type HeldUpload, type StoreState } from './store-state.js';

/** One kind of store: what each call does to it, at once and as a whole. */
export interface StoreKind {
  readonly name: string;
  /** `ifAbsent` is honoured by completions and copies. */
  readonly conditional: boolean;
  /** Parts are written into one file, which becomes the object; the store is asked about each of them. */
  readonly folder: boolean;
  readonly apply: Apply;
}

export interface Applied {
  readonly state: StoreState;
  readonly result: Result;
}

type Apply = (state: StoreState, call: Call) => Applied;

/** What kinds of stores do in their own way. */
export interface StoreParts {
  /** A new object of these bytes. */
  readonly blob: (content: Content, token: string) => Blob;
  readonly uploads: Apply;
}

/** A store of which only new objects and uploads are peculiar. */
export function applyTo({ blob, uploads }: StoreParts, { conditional }: { readonly conditional: boolean }): Apply {
  return (state, call) => {
    switch (call.op) {
      case 'head':
        return { state, result: answer(infoOf(call.key, state.objects.get(call.key))) };
      case 'get':
      case 'read':
        return { state, result: answer(state.objects.get(call.key)?.content) };
      case 'list':
        return { state, result: answer(listObjects(state, call.prefix)) };
      case 'listFolders':
        return { state, result: answer(listFolders(state, call.prefix)) };
      case 'delete':
        return { state: withObject(state, call.key, undefined), result: answer(null) };
      case 'put': {
        const refused = conditional ? refuse(state.objects.get(call.key), call.conditions) : undefined;
        if (refused !== undefined) return { state, result: refused };
        const stored = blob(call.body, call.token);
        return { state: withObject(state, call.key, stored), result: answer(infoOf(call.key, stored)) };
      }
      case 'copy': {
        const from = state.objects.get(call.from);
        if (from === undefined) return { state, result: refusal('ObjectNotFound') };
        const { ifMatch, ifAbsent } = call.conditions;
        if (ifMatch !== undefined && ifMatch !== from.etag) return { state, result: refusal('StoreConflict') };
        if (conditional && ifAbsent === true && state.objects.has(call.to)) {
          return { state, result: refusal('ObjectExists') };
        }
        const stored = blob(from.content, call.token);
        return { state: withObject(state, call.to, stored), result: answer(infoOf(call.to, stored)) };
      }
      case 'findUploads': {
        const ids = state.uploads.filter(({ key }) => key === call.key).map(({ id }) => ({ key: call.key, id }));
        return { state, result: answer(ids.reverse()) };
      }
      case 'listParts': {
        const upload = findUpload(state, call.upload.id);
        return { state, result: upload === undefined ? refusal('UploadNotFound') : answer(receiptsOf(upload)) };
      }
      case 'abortUpload':
        return { state: withoutUpload(state, call.upload.id), result: answer(null) };
      default:
        return uploads(state, call);
    }
  };
}

export function infoOf(key: string, blob: Blob | undefined): ObjectInfo | undefined {
  return blob === undefined ? undefined : { key, size: blob.content.bytes.length, etag: blob.etag };
}

export function findUpload(state: StoreState, id: string): HeldUpload | undefined {
  return state.uploads.find((upload) => upload.id === id);
}

export function listObjects({ objects }: StoreState, prefix: string): (ObjectInfo | undefined)[] {
  return [...objects].filter(([key]) => key.startsWith(prefix)).map(([key, blob]) => infoOf(key, blob));
}

export function listFolders({ objects }: StoreState, prefix: string): string[] {
  const below = [...objects.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  return [...new Set(below.filter((rest) => rest.includes('/')).map((rest) => rest.slice(0, rest.indexOf('/'))))];
}

function refuse(found: Blob | undefined, { ifAbsent, ifMatch }: Conditions): Result | undefined {
  if (ifAbsent === true && found !== undefined) return refusal('ObjectExists');
  if (ifMatch !== undefined && found?.etag !== ifMatch) return refusal('StoreConflict');
  return undefined;
}

function receiptsOf({ parts }: HeldUpload) {
  return [...parts].sort(([a], [b]) => a - b).map(([partNumber, { size, etag }]) => ({ partNumber, size, etag }));
}
