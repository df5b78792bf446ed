import { fileURLToPath, pathToFileURL } from 'node:url';

import { PrefetchError } from '../core/errors.js';

/** A store's root in parts. `prefix` is decoded and empty or ends in "/"; `path` is an absolute folder. */
export type StoreUrl =
  | { readonly scheme: 's3'; readonly bucket: string; readonly prefix: string }
  | { readonly scheme: 'file'; readonly path: string };

/** Reads the root of a store: `s3://bucket/prefix` or `file:///absolute/folder`, percent-encoded where needed. */
export function parseStoreUrl(root: string): StoreUrl {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(root)?.[1]?.toLowerCase();
  if (scheme === 's3') return parseS3Url(root);
  if (scheme === 'file') return parseFileUrl(root);
  throw new PrefetchError(
    'UnsupportedStore',
    `${quoted(root)} ${scheme === undefined ? 'has no URL scheme' : `has the scheme ${scheme}://`}; ` +
      `supported are s3://bucket/prefix and file:///absolute/folder${elsewhere(scheme)}`,
    { details: { ...(scheme === undefined ? {} : { scheme }), supported: ['s3', 'file'] } }
  );
}

/** Stores that people have and this version does not know. */
function elsewhere(scheme: string | undefined): string {
  if (scheme === 'gs' || scheme === 'gcs') return '. Google Cloud Storage is not in this version';
  if (['az', 'azure', 'abfs', 'abfss', 'wasb', 'wasbs', 'adl'].includes(scheme ?? '')) {
    return '. Azure Blob Storage is not in this version';
  }
  if (scheme === 's3a' || scheme === 's3n') return '. What Hadoop calls so is s3:// here';
  return scheme === 'http' || scheme === 'https'
    ? '. An S3 server is s3://bucket, and its address AWS_ENDPOINT_URL_S3'
    : '';
}

/** The normal form of a store's root: percent-encoded, ending in "/". */
export function formatStoreUrl(url: StoreUrl): string {
  if (url.scheme === 's3') return `s3://${url.bucket}/${encodeKey(url.prefix)}`;
  return `file://${encodeKey(fileURLToPath(pathToFileURL(url.path)).replace(/\/+$/, ''))}/`;
}

/** Absolute, percent-encoded URL of an object or prefix under a root that ends in "/". */
export function objectUrl(root: string, key: string): string {
  return root + encodeKey(key);
}

/** Each segment percent-encoded by RFC 3986, the slashes kept: what SigV4 and URLs agree on. */
export function encodeKey(key: string): string {
  return key.split('/').map(encodeSegment).join('/');
}

function encodeSegment(segment: string): string {
  // encodeURIComponent leaves five characters that RFC 3986 reserves.
  return encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  );
}

function parseS3Url(root: string): StoreUrl {
  const [, bucket, path] = /^s3:\/\/([^/?#]*)(?:\/([^?#]*))?$/i.exec(root) ?? [];
  if (bucket === undefined) throw invalid(root, 'has a "?" or "#": write them as %3F and %23');
  if (!/^[A-Za-z0-9._-]{1,255}$/.test(bucket))
    throw invalid(root, 'has no good bucket name: expected s3://bucket/prefix');
  const prefix = decodePath(root, path ?? '').replace(/\/+$/, '');
  return { scheme: 's3', bucket, prefix: prefix === '' ? '' : `${prefix}/` };
}

function parseFileUrl(root: string): StoreUrl {
  const [, path] = /^file:\/\/(\/[^?#]*)$/i.exec(root) ?? [];
  if (path === undefined) {
    throw invalid(root, 'is no absolute folder: expected file:///absolute/folder, with "?" and "#" as %3F and %23');
  }
  const decoded = decodePath(root, path.slice(1)).replace(/\/+$/, '');
  return { scheme: 'file', path: `/${decoded}` };
}

function decodePath(root: string, path: string): string {
  const decoded = decode(root, path);
  const segments = decoded.replace(/\/+$/, '').split('/');
  if (decoded !== '' && segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw invalid(root, 'has an empty, "." or ".." segment');
  }
  // eslint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(decoded)) throw invalid(root, 'has a control character');
  return decoded;
}

function decode(root: string, path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw invalid(root, 'has a "%" that starts no percent-encoded character: write it as %25');
  }
}

function invalid(root: string, problem: string): PrefetchError {
  return new PrefetchError('InvalidInput', `The store's URL ${quoted(root)} ${problem}`, { details: { root } });
}

function quoted(root: string): string {
  return JSON.stringify(root.slice(0, 200));
}
