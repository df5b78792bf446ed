import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isPrefetchError, PrefetchError, rewrap } from '../core/errors.js';
import { withTrailingSlash } from '../core/identity.js';
import { parseStoreUrl } from '../storage/store-url.js';

/** The URL of a folder that an argument names: a URL of a store, or a path on this machine. */
export function readDirUrl(argument: string, value: string): string {
  // A path that is empty would name the folder that the command was started in.
  if (value === '') throw new PrefetchError('InvalidInput', `${argument}: expected a URL or a path, got nothing`);
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : pathToFileURL(resolve(value)).href;
  try {
    parseStoreUrl(url);
  } catch (error) {
    if (!isPrefetchError(error)) throw error;
    throw rewrap(error, { code: 'InvalidInput', text: `${argument}: ${error.text}` });
  }
  return withTrailingSlash(url);
}

/**
 * A folder to write to, as the root of a store and a name in it. A folder of this machine is a root itself: the one above
 * may be on another disk, and may be nobody's to write in.
 */
export function splitDirUrl(argument: string, value: string): { readonly root: string; readonly folder: string } {
  const url = readDirUrl(argument, value);
  if (url.startsWith('file:')) return { root: url, folder: '' };
  const [, root, folder] = /^([a-z][a-z0-9+.-]*:\/\/.*\/)([^/]+)\/$/i.exec(url) ?? [];
  if (root !== undefined && folder !== undefined && !/^[a-z][a-z0-9+.-]*:\/\/$/i.test(root)) {
    return { root, folder: decodeURIComponent(folder) };
  }
  throw new PrefetchError('InvalidInput', `${argument}: ${url} is a whole store; name a folder in it`);
}
