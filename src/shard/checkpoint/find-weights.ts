import { isPrefetchError, PrefetchError, type ErrorDetails } from '../../core/errors.js';
import { isWeights } from '../../hub/vllm-files.js';
import { parseIndex } from '../../safetensors/index.js';
import { someOf, unsupported } from '../layout/unsupported.js';
import { INDEX_PATH, weightsFiles } from './model-files.js';
import { readJson, type ListedFile, type ReadFile } from './read-json.js';

/** The weights files that vLLM reads of a checkpoint. */
export interface FoundWeights<T> {
  readonly files: readonly T[];
  /** Tensor to file, where there is an index. */
  readonly weightMap: ReadonlyMap<string, string> | undefined;
  /** Whose tensor names they have: those of transformers, or of Mistral's own programs. */
  readonly layout: 'transformers' | 'mistral';
}

/** The index of Mistral's own layout, which vLLM reads where there is nothing else. */
const MISTRAL_INDEX_PATH = 'consolidated.safetensors.index.json';
/** The length of the header, and a header of no tensor. */
const LEAST_BYTES = 10;

/**
 * The weights files among these, as vLLM chooses them: safetensors at the top, and where there is an index those that it
 * names. Judged by the listing and the index alone: files that are missing fail as `IncompleteCheckpoint`, an index that
 * nobody could read as `InvalidSafetensors`, and weights in other formats as `UnsupportedSharding`.
 */
export async function findWeights<T extends ListedFile>(
  files: readonly T[],
  read: ReadFile<T>
): Promise<FoundWeights<T>> {
  const atTop = files.filter(({ path }) => !path.includes('/') && path.endsWith('.safetensors'));
  const find = (layout: Layout) => findInLayout(layout, { files, atTop, read });
  const ofMistral = atTop.length > weightsFiles(atTop, undefined).length;
  if (ofMistral && weightsFiles(files, undefined).length === 0) return find('mistral');
  try {
    return await find('transformers');
  } catch (error) {
    // vLLM takes Mistral's own layout where both are there, and does not mind what is left of the other.
    const isVllms = ofMistral && files.some(({ path }) => path === 'params.json');
    if (!isVllms || !isPrefetchError(error, 'IncompleteCheckpoint')) throw error;
    return find('mistral');
  }
}

type Layout = FoundWeights<unknown>['layout'];

interface Listing<T extends ListedFile> {
  readonly files: readonly T[];
  readonly atTop: readonly T[];
  readonly read: ReadFile<T>;
}

async function findInLayout<T extends ListedFile>(
  layout: Layout,
  { files, atTop, read }: Listing<T>
): Promise<FoundWeights<T>> {
  const indexPath = layout === 'mistral' ? MISTRAL_INDEX_PATH : INDEX_PATH;
  const weightMap = await readWeightMap(files, indexPath, read);
  const indexed = weightMap === undefined ? undefined : new Set(weightMap.values());
  if (indexed !== undefined) checkIndexed(indexed, atTop, indexPath);
  const found =
    layout === 'mistral'
      ? atTop.filter((file) => weightsFiles([file], undefined).length === 0 && indexed?.has(file.path) !== false)
      : weightsFiles(files, indexed);
  if (found.length === 0) throw noWeights(files);
  if (indexed === undefined) checkNumbers(found);
  checkSizes(found);
  return { files: found, weightMap, layout };
}

async function readWeightMap<T extends ListedFile>(
  files: readonly T[],
  path: string,
  read: ReadFile<T>
): Promise<ReadonlyMap<string, string> | undefined> {
  const refuse = (problem: string) =>
    new PrefetchError('InvalidSafetensors', `${path} ${problem}`, { details: { reason: 'index', path } });
  const index = await readJson(files, path, { read, refuse });
  try {
    return index === undefined ? undefined : parseIndex(index).weightMap;
  } catch (error) {
    if (!isPrefetchError(error, 'UnsafePath')) throw error;
    // Nothing is read or written by that name: it is compared with the listing, which has none such.
    throw missingFiles(namesMissing(path), [JSON.stringify(error.details['path'])]);
  }
}

function namesMissing(indexPath: string): string {
  return `${indexPath} names weights files that are not there`;
}

function checkIndexed(indexed: ReadonlySet<string>, atTop: readonly ListedFile[], indexPath: string): void {
  if (indexed.size === 0) throw incomplete(`${indexPath} names no weights file`, { reason: 'no-weights' });
  const there = new Set(atTop.map(({ path }) => path));
  const missing = [...indexed].filter((path) => !there.has(path));
  if (missing.length > 0) throw missingFiles(namesMissing(indexPath), missing);
  const others = [...indexed].filter((path) => weightsFiles([{ path }], undefined).length === 0);
  if (indexPath !== INDEX_PATH || others.length === 0) return;
  throw unsupported('weights-format', `${INDEX_PATH} names weights in Mistral's own layout: ${someOf(others)}`);
}

/** Without an index vLLM takes what is there, and of a quantized model it would leave the rest uninitialised. */
function checkNumbers(files: readonly ListedFile[]): void {
  const series = new Map<string, { readonly total: number; readonly numbers: Set<number> }>();
  for (const { path } of files) {
    const [, name, number, total] = NUMBERED.exec(path) ?? [];
    if (name === undefined) continue;
    const key = `${name} of ${String(Number(total))}`;
    const found = series.get(key) ?? { total: Number(total), numbers: new Set() };
    series.set(key, found);
    found.numbers.add(Number(number));
  }
  for (const [key, { total, numbers }] of series) {
    if (numbers.size >= total) continue;
    // Some count from 0.
    const first = numbers.has(0) ? 0 : 1;
    const missing: string[] = [];
    for (let number = first; number < first + total && missing.length < MOST_LISTED; number++) {
      if (!numbers.has(number)) missing.push(`${key.replace(/ of \d+$/, '')}-${String(number)}-of-${String(total)}`);
    }
    throw missingFiles(`Only ${numbers.size} of ${total} numbered weights files are there, and no index`, missing);
  }
}

const NUMBERED = /^(.*)-(\d+)-of-(\d+)\.safetensors$/;
const MOST_LISTED = 20;

function checkSizes(files: readonly ListedFile[]): void {
  const broken = files.find(({ size }) => size < LEAST_BYTES);
  if (broken === undefined) return;
  const { path, size } = broken;
  const text = `${path}: A safetensors file has at least ${LEAST_BYTES} bytes, got ${size}`;
  throw new PrefetchError('InvalidSafetensors', text, { details: { reason: 'file-size', path } });
}

function noWeights(files: readonly ListedFile[]): PrefetchError {
  if (!files.some(({ path }) => isWeights(path))) {
    return incomplete('There are no weights, in no format', { reason: 'no-weights' });
  }
  return unsupported('weights-format', 'There are no weights in the format safetensors at the top of the checkpoint');
}

function missingFiles(what: string, missing: readonly string[]): PrefetchError {
  return incomplete(`${what}: ${someOf(missing)}`, { reason: 'missing-files', files: missing.slice(0, MOST_LISTED) });
}

function incomplete(text: string, details: ErrorDetails): PrefetchError {
  return new PrefetchError(
    'IncompleteCheckpoint',
    `${text}. No engine can shard this: complete the checkpoint, or have include and exclude take all of it`,
    { details }
  );
}
