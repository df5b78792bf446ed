import { answer, refusal, type Call } from './calls.js';
import { contentOf, patched } from './content.js';
import { applyTo, findUpload, infoOf, type Applied, type StoreKind } from './store-kind.js';
import {
  stateOf,
  withObject,
  withoutUpload,
  withUpload,
  type HeldPart,
  type HeldUpload,
  type StoreState,
} from './store-state.js';

/**
 * An upload is a file that gets its place by a new name, so that whoever holds it open goes on writing into the object.
 * An etag is the file and how often it was written to. Without `conditional` it is a file system that refuses hard links.
 */
export function folderLike({ conditional }: { readonly conditional: boolean }): StoreKind {
  const apply = applyTo(
    {
      blob: (content, token) => ({ content, etag: `${token}.0`, inode: token }),
      uploads: (state, call) => applyUpload(state, call, conditional),
    },
    { conditional }
  );
  return { name: conditional ? 'folder' : 'folder without links', conditional, folder: true, apply };
}

function applyUpload(state: StoreState, call: Call, conditional: boolean): Applied {
  switch (call.op) {
    case 'createUpload': {
      const { key, size, partSize, token } = call;
      return start(state, { id: token, key, size, partSize, parts: new Map() }, new Uint8Array(size));
    }
    case 'takeOver': {
      const upload = findUpload(state, call.upload.id);
      if (upload?.file === undefined) return { state, result: refusal('UploadNotFound') };
      const parts = new Map([...upload.parts].map(([number, part]) => [number, { ...part }]));
      return start(state, { ...upload, id: call.token, parts }, confirmedBytes(upload));
    }
    case 'partTarget': {
      const upload = findUpload(state, call.upload.id);
      if (upload?.file === undefined) return { state, result: refusal('UploadNotFound') };
      const parts = new Map(upload.parts);
      parts.delete(call.part.partNumber);
      const target = `${upload.file.inode}/${call.part.position}`;
      return { state: withUpload(state, { ...upload, parts }), result: answer(target) };
    }
    case 'putPart':
      return write(state, call);
    case 'confirmPart': {
      const upload = findUpload(state, call.upload.id);
      if (upload === undefined) return { state, result: refusal('UploadNotFound') };
      const part: HeldPart = { etag: call.token, size: call.part.size };
      const parts = new Map(upload.parts).set(call.part.partNumber, part);
      const receipt = { partNumber: call.part.partNumber, ...part };
      return { state: withUpload(state, { ...upload, parts }), result: answer(receipt) };
    }
    case 'completeUpload':
      return complete(state, call, conditional);
    default:
      throw new Error(`A folder has no ${call.op}`);
  }
}

function start(state: StoreState, upload: Omit<HeldUpload, 'file'>, bytes: Uint8Array): Applied {
  const { key, id } = upload;
  const file = { inode: id, data: contentOf(bytes), writes: 0 };
  return { state: withUpload(state, { ...upload, file }), result: answer({ key, id }) };
}

function confirmedBytes({ file, parts, size, partSize }: HeldUpload): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const [number, part] of parts) {
    const position = (number - 1) * partSize;
    bytes.set(file?.data.bytes.subarray(position, position + part.size) ?? [], position);
  }
  return bytes;
}

/** Into the file that was opened, whatever it is by now: an upload, an object, or nothing that has a name. */
function write(state: StoreState, { target, body }: Extract<Call, { op: 'putPart' }>): Applied {
  const [inode, position] = target.split('/');
  const result = answer('written');
  const upload = state.uploads.find(({ file }) => file?.inode === inode);
  if (upload?.file !== undefined) {
    const data = patched(upload.file.data, Number(position), body.bytes);
    const file = { ...upload.file, data, writes: upload.file.writes + 1 };
    return { state: withUpload(state, { ...upload, file }), result };
  }
  for (const [key, { content, etag, inode: found }] of state.objects) {
    if (found === undefined || found !== inode) continue;
    const writes = Number(etag.slice(etag.lastIndexOf('.') + 1)) + 1;
    const blob = { content: patched(content, Number(position), body.bytes), etag: `${found}.${writes}`, inode: found };
    return { state: withObject(state, key, blob), result };
  }
  return { state, result };
}

function complete(
  state: StoreState,
  { upload, parts, size, ifAbsent }: Extract<Call, { op: 'completeUpload' }>,
  conditional: boolean
): Applied {
  const held = findUpload(state, upload.id);
  if (held?.file === undefined) return { state, result: refusal('UploadNotFound') };
  const fits = parts.every(({ partNumber, etag }) => held.parts.get(partNumber)?.etag === etag);
  if (!fits || held.file.data.bytes.length !== size) return { state, result: refusal('StoreConflict') };
  if (conditional && ifAbsent && state.objects.has(upload.key)) return { state, result: refusal('ObjectExists') };
  const { inode, data, writes } = held.file;
  const stored = { content: data, etag: `${inode}.${writes}`, inode };
  const { objects } = withObject(state, upload.key, stored);
  const { uploads } = withoutUpload(state, upload.id);
  return { state: stateOf({ objects, uploads }), result: answer(infoOf(upload.key, stored)) };
}
