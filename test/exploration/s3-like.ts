import { answer, refusal, type Call } from './calls.js';
import { contentOf, type Content } from './content.js';
import { applyTo, findUpload, infoOf, type Applied, type StoreKind } from './store-kind.js';
import { stateOf, withObject, withoutUpload, withUpload, type Blob, type StoreState } from './store-state.js';

/** Parts are objects of their own until the completion puts them together; an etag is a digest of the bytes. */
export function s3Like({ conditional }: { readonly conditional: boolean }): StoreKind {
  const apply = applyTo({ blob, uploads: (state, call) => applyUpload(state, call, conditional) }, { conditional });
  return { name: conditional ? 'S3' : 'S3 without conditions', conditional, folder: false, apply };
}

function blob(content: Content): Blob {
  return { content, etag: etagOf(content) };
}

function applyUpload(state: StoreState, call: Call, conditional: boolean): Applied {
  switch (call.op) {
    case 'createUpload': {
      const { key, size, partSize, token } = call;
      const started = withUpload(state, { id: token, key, size, partSize, parts: new Map() });
      return { state: started, result: answer({ key, id: token }) };
    }
    case 'putPart': {
      const [id = '', number] = call.target.split('/');
      const upload = findUpload(state, id);
      if (upload === undefined) return { state, result: refusal('UploadNotFound') };
      const etag = etagOf(call.body);
      const part = { etag, size: call.body.bytes.length, content: call.body };
      const parts = new Map(upload.parts).set(Number(number), part);
      return { state: withUpload(state, { ...upload, parts }), result: answer(etag) };
    }
    case 'completeUpload':
      return complete(state, call, conditional);
    default:
      throw new Error(`An S3 has no ${call.op}`);
  }
}

function complete(
  state: StoreState,
  { upload, parts, size, ifAbsent }: Extract<Call, { op: 'completeUpload' }>,
  conditional: boolean
): Applied {
  const held = findUpload(state, upload.id);
  if (held === undefined) return { state, result: refusal('UploadNotFound') };
  const contents = parts.flatMap(({ partNumber, etag }) => {
    const part = held.parts.get(partNumber);
    return part?.content !== undefined && part.etag === etag ? [part.content] : [];
  });
  const bytes = Buffer.concat(contents.map((content) => content.bytes));
  if (bytes.length !== size) return { state, result: refusal('StoreConflict') };
  if (conditional && ifAbsent && state.objects.has(upload.key)) return { state, result: refusal('ObjectExists') };
  const content = contentOf(bytes);
  const stored = { content, etag: `${etagOf(content)}-${parts.length}` };
  const { objects } = withObject(state, upload.key, stored);
  const { uploads } = withoutUpload(state, upload.id);
  return { state: stateOf({ objects, uploads }), result: answer(infoOf(upload.key, stored)) };
}

function etagOf({ sha256 }: Content): string {
  return sha256.slice(0, 8);
}
