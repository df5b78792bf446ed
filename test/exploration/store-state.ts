import type { Content } from './content.js';

/** An object as the store holds it. */
export interface Blob {
  readonly content: Content;
  readonly etag: string;
  /** Of a folder: the file that a late writer still holds open. */
  readonly inode?: string;
}

export interface HeldPart {
  readonly etag: string;
  readonly size: number;
  /** Of a folder all parts lie in `data`. */
  readonly content?: Content;
}

export interface HeldUpload {
  readonly id: string;
  readonly key: string;
  readonly size: number;
  readonly partSize: number;
  readonly parts: ReadonlyMap<number, HeldPart>;
  /** Of a folder: the file that becomes the object, and how often it was written to. */
  readonly file?: { readonly inode: string; readonly data: Content; readonly writes: number };
}

/** Everything that a store holds; never changed, only replaced. */
export interface StoreState {
  /** States that are equal have one id. */
  readonly id: number;
  readonly objects: ReadonlyMap<string, Blob>;
  /** Oldest first. */
  readonly uploads: readonly HeldUpload[];
}

const known = new Map<string, StoreState>();

/** The one value of this state. */
export function stateOf({ objects, uploads }: Omit<StoreState, 'id'>): StoreState {
  const sorted = [...objects].sort(([a], [b]) => (a < b ? -1 : 1));
  const key = [
    ...sorted.map(([name, { content, etag }]) => `${name}=${content.id}@${etag}`),
    ...uploads.map(({ id, parts, file }) => {
      const held = [...parts].map(([number, part]) => `${number}:${part.etag}`).sort();
      return `${id}:${held.join(',')}${file === undefined ? '' : `/${file.inode}.${file.writes}.${file.data.id}`}`;
    }),
  ].join('\n');
  const found = known.get(key);
  if (found !== undefined) return found;
  const state = { id: known.size, objects: new Map(sorted), uploads };
  known.set(key, state);
  return state;
}

export function withObject(state: StoreState, key: string, blob: Blob | undefined): StoreState {
  const objects = new Map(state.objects);
  if (blob === undefined) objects.delete(key);
  else objects.set(key, blob);
  return stateOf({ objects, uploads: state.uploads });
}

/** Replaces the upload of the same id, or adds it as the newest. */
export function withUpload(state: StoreState, upload: HeldUpload): StoreState {
  const position = state.uploads.findIndex(({ id }) => id === upload.id);
  const uploads = position < 0 ? [...state.uploads, upload] : state.uploads.with(position, upload);
  return stateOf({ objects: state.objects, uploads });
}

export function withoutUpload(state: StoreState, id: string): StoreState {
  return stateOf({ objects: state.objects, uploads: state.uploads.filter((upload) => upload.id !== id) });
}
