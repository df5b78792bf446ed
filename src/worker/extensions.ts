import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { cwd } from 'node:process';
import { pathToFileURL } from 'node:url';
import type { ClientPlugin } from '@temporalio/client';
import type { DataConverter, PayloadCodec } from '@temporalio/common';
import type { BundlerPlugin, NativeConnectionPlugin, WorkerPlugin } from '@temporalio/worker';
import type { Settings } from '../config/environment.js';
import { isPrefetchError, PrefetchError } from '../core/errors.js';
import { foreignText } from '../core/foreign-text.js';
import { problemOfPaths } from './converter-paths.js';
import { importFrom } from './import-from.js';

/** A Temporal plugin, of whatever kinds it is. */
export type TemporalPlugin = WorkerPlugin & ClientPlugin & BundlerPlugin & NativeConnectionPlugin;

/** What modules of a user add to Temporal in this process. */
export interface Extensions {
  readonly dataConverter?: DataConverter;
  readonly plugins: readonly TemporalPlugin[];
}

const CONVERTER = 'MODEL_PREFETCH_DATA_CONVERTER';
const PLUGINS = 'MODEL_PREFETCH_PLUGINS';

/**
 * Loads the modules that the environment names. `InvalidInput` with the variable and the module, before anything starts.
 * @param settings - what the environment says
 * @param folder - where relative paths and packages are looked for
 */
export async function loadExtensions(
  { dataConverter, plugins = [] }: Pick<Settings, 'dataConverter' | 'plugins'>,
  folder = cwd()
): Promise<Extensions> {
  const converter = dataConverter === undefined ? undefined : await loadConverter(dataConverter, folder);
  const loaded: TemporalPlugin[] = [];
  for (const module of plugins) loaded.push(...(await loadPlugins(module, folder)));
  return { ...(converter === undefined ? {} : { dataConverter: converter }), plugins: loaded };
}

async function loadConverter(module: string, folder: string): Promise<DataConverter> {
  const place = { variable: CONVERTER, module, folder };
  const exports = await load(place);
  for (const candidate of candidates(exports, 'dataConverter')) {
    const converter = asConverter(await called(candidate, place));
    if (converter === undefined) continue;
    const problem = problemOfPaths(converter, reasonOf);
    if (problem !== undefined) throw wrong(place, problem);
    return converter;
  }
  throw wrong(
    place,
    'exports no data converter: expected a default export, or an export dataConverter, with payloadCodecs, ' +
      'payloadConverterPath or failureConverterPath; or a codec with encode and decode, or a list of them'
  );
}

async function loadPlugins(module: string, folder: string): Promise<TemporalPlugin[]> {
  const place = { variable: PLUGINS, module, folder };
  const exports = await load(place);
  for (const candidate of candidates(exports, 'plugin')) {
    const value = await called(candidate, place);
    const list = Array.isArray(value) ? value : [value];
    if (list.length > 0 && list.every(isPlugin)) return list;
  }
  throw wrong(
    place,
    'exports no Temporal plugin: expected a default export, or an export plugin, with a name and hooks such as configureWorker'
  );
}

interface Place {
  readonly variable: string;
  readonly module: string;
  readonly folder: string;
}

/** As Node does it from the working directory, for modules of both kinds. */
async function load(place: Place): Promise<unknown> {
  const { module, folder } = place;
  const file = resolve(folder, module);
  const isPath = /^\.{0,2}\//.test(module) || (!/^[a-z]+:/.test(module) && existsSync(file));
  const specifier = isPath ? pathToFileURL(file).href : module;
  if (isPath && !existsSync(file)) throw wrong(place, 'is not there');
  try {
    return await importFrom(specifier, folder);
  } catch (error) {
    throw wrong(place, `cannot be loaded: ${reasonOf(error)}`);
  }
}

/** What may be meant, likeliest first; a module of CommonJS has its exports once more as its default. */
function candidates(exports: unknown, name: string): unknown[] {
  const standard = field(exports, 'default');
  return [field(exports, name), field(standard, name), field(standard, 'default'), standard, exports].filter(
    (each) => each !== undefined
  );
}

async function called(candidate: unknown, place: Place): Promise<unknown> {
  if (typeof candidate !== 'function') return candidate;
  try {
    return isClass(candidate) ? Reflect.construct(candidate, []) : await Reflect.apply(candidate, undefined, []);
  } catch (error) {
    throw wrong(place, `throws: ${reasonOf(error)}`);
  }
}

function isClass(candidate: object): boolean {
  return /^class\b/.test(Function.prototype.toString.call(candidate));
}

function asConverter(value: unknown): DataConverter | undefined {
  if (isCodec(value)) return { payloadCodecs: [value] };
  if (Array.isArray(value)) return value.length > 0 && value.every(isCodec) ? { payloadCodecs: value } : undefined;
  return isConverter(value) ? value : undefined;
}

function isConverter(value: unknown): value is DataConverter {
  const codecs = field(value, 'payloadCodecs');
  const paths = [field(value, 'payloadConverterPath'), field(value, 'failureConverterPath')];
  if (codecs === undefined && paths.every((path) => path === undefined)) return false;
  return (
    (codecs === undefined || (Array.isArray(codecs) && codecs.every(isCodec))) &&
    paths.every((path) => path === undefined || typeof path === 'string')
  );
}

function isCodec(value: unknown): value is PayloadCodec {
  return typeof field(value, 'encode') === 'function' && typeof field(value, 'decode') === 'function';
}

const HOOKS = [
  ...['configureClient', 'configureWorker', 'configureReplayWorker', 'configureBundler'],
  ...['configureConnection', 'configureNativeConnection', 'runWorker'],
];

function isPlugin(value: unknown): value is TemporalPlugin {
  return typeof field(value, 'name') === 'string' && HOOKS.some((hook) => typeof field(value, hook) === 'function');
}

function field(value: unknown, name: string): unknown {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
    ? Reflect.get(value, name)
    : undefined;
}

function wrong({ variable, module }: Place, what: string): PrefetchError {
  return new PrefetchError('InvalidInput', `${variable}: ${module} ${what}`);
}

/** Who required a module that is missing is no help to who named it. */
function reasonOf(error: unknown): string {
  if (isPrefetchError(error)) return error.text;
  const text = error instanceof Error ? error.message || error.name : String(error);
  return foreignText(text.replace(/\nRequire stack:[^]*$/, ''));
}
