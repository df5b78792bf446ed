import type { StoredFile } from '../../core/stored-file.js';
import { MiB } from '../../core/units.js';
import { unsupported } from '../layout/unsupported.js';
import { CONFIG_PATH } from './model-files.js';
import { parsePythonJson } from './python-json.js';

/** A file as a listing has it, wherever it lies. */
export type ListedFile = Pick<StoredFile, 'path' | 'size'>;

/** Reads a whole file of a listing, wherever that lies. */
export type ReadFile<T extends ListedFile> = (file: T) => Promise<Uint8Array>;

const MOST_JSON_BYTES = 64 * MiB;
const MOST_LEVELS = 100;

/**
 * The parsed config.json among these files; `UnsupportedSharding` where there is none that could be read. Where vLLM could
 * do nothing with it either, no engine can help, and `details.broken` says so.
 */
export async function readConfig<T extends ListedFile>(
  files: readonly T[],
  read: ReadFile<T>
): Promise<Readonly<Record<string, unknown>>> {
  // With that one vLLM need not look at config.json.
  const broken = !files.some(({ path }) => path === 'params.json');
  const details = broken ? { broken } : {};
  const refuse = (problem: string) => unsupported('config', `${CONFIG_PATH} ${problem}`, details);
  const config = await readJson(files, CONFIG_PATH, { read, refuse });
  if (config === undefined) throw unsupported('config', `There is no ${CONFIG_PATH} beside the weights`, details);
  if (typeof config === 'object' && config !== null && !Array.isArray(config)) {
    return Object.fromEntries(Object.entries(config));
  }
  throw refuse('is no JSON object');
}

/** The content of a JSON file among these, if it is there; `refuse` makes the error for one that nobody could read. */
export async function readJson<T extends ListedFile>(
  files: readonly T[],
  path: string,
  { read, refuse }: { readonly read: ReadFile<T>; readonly refuse: (problem: string) => Error }
): Promise<unknown> {
  const file = files.find((each) => each.path === path);
  if (file === undefined) return undefined;
  if (file.size > MOST_JSON_BYTES)
    throw unsupported('config', `${path} has ${file.size} bytes, which no such file needs`);
  const value = parse(await read(file), refuse);
  if (isNestedDeeper(value, MOST_LEVELS)) {
    throw unsupported('config', `${path} is nested deeper than ${MOST_LEVELS} levels, which no such file needs`);
  }
  return value;
}

function parse(bytes: Uint8Array, refuse: (problem: string) => Error): unknown {
  try {
    return parsePythonJson(bytes);
  } catch {
    const start = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
    if (start.startsWith('version http')) throw refuse('is a Git LFS pointer, not the file: run "git lfs pull"');
    if (start.startsWith(UTF8_MARK)) throw refuse('starts with a byte order mark, which Python refuses');
    throw refuse('is no JSON');
  }
}

/** The bytes of U+FEFF. */
const UTF8_MARK = '\u00ef\u00bb\u00bf';

/** Level by level: whatever goes down into such a value, as writing it does, would run out of stack. */
function isNestedDeeper(value: unknown, most: number): boolean {
  let level = [value].filter(isContainer);
  for (let depth = 0; depth < most && level.length > 0; depth++) {
    level = level.flatMap((container): unknown[] => Object.values(container)).filter(isContainer);
  }
  return level.length > 0;
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
