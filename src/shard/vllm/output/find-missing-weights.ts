import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAsReference, type TensorSpec } from '../../../safetensors/index.js';
import { findWeights } from '../../checkpoint/find-weights.js';
import type { ShardFile } from './check-output.js';
import { readTensors } from './read-tensors.js';

// Some models have layers that vLLM leaves out, such as those that guess several tokens at once.
const ENOUGH = 0.95;
const SHOWN = 12;

/**
 * Whether the ranks together hold the weights of the source, by number of elements: for models whose exact layout nobody
 * computed. An engine on a CPU, for one, saves a state without nearly all of its weights, and reports success.
 */
export async function findMissingWeights(
  files: readonly ShardFile[],
  { source, ranks, signal }: { readonly source: string; readonly ranks: number; readonly signal: AbortSignal }
): Promise<string[]> {
  const given = withoutRedundant(await tensorsIn(source, signal));
  const saved = files.flatMap(({ rank, tensors }) => (rank === 0 ? tensors : []));
  const givenElements = sumOf(given.values());
  const savedElements = saved.reduce((total, tensor) => total + countOnce(tensor, given, ranks), 0);
  if (savedElements >= ENOUGH * givenElements) return [];
  const percent = ((100 * savedElements) / givenElements).toFixed(1);
  return [
    `all ranks together hold ${savedElements} elements, ${percent} % of the ${givenElements} in the source`,
    ...describeLost(given.keys(), saved),
  ];
}

/** Elements of a tensor on all ranks, without what they have in common and without padding. */
function countOnce(tensor: TensorSpec, given: ReadonlyMap<string, TensorSpec>, ranks: number): number {
  const original = given.get(tensor.name) ?? (isOutputEmbedding(tensor) ? inputEmbedding(given.values()) : undefined);
  const elements = elementsOf(tensor) * ranks;
  return original === undefined ? elements : Math.min(elements, elementsOf(original));
}

/** Leaves out what vLLM computes itself, and an output embedding that may be the input embedding again. */
function withoutRedundant(tensors: readonly TensorSpec[]): ReadonlyMap<string, TensorSpec> {
  const kept = tensors.filter((tensor) => !isComputed(tensor));
  const shape = inputEmbedding(kept)?.shape.join();
  const isAgain = (tensor: TensorSpec) => isOutputEmbedding(tensor) && tensor.shape.join() === shape;
  return new Map(kept.filter((tensor) => !isAgain(tensor)).map((tensor) => [tensor.name, tensor]));
}

/** Positions, and the masks that old checkpoints carry: 1 x 1 x length x length. */
function isComputed({ name, shape }: TensorSpec): boolean {
  return /\.rotary_emb\.inv_freq$|\.masked_bias$/.test(name) || (/\.attn\.bias$/.test(name) && shape.length === 4);
}

function isOutputEmbedding({ name }: TensorSpec): boolean {
  return /(^|\.)lm_head\.weight$/.test(name);
}

function inputEmbedding(tensors: Iterable<TensorSpec>): TensorSpec | undefined {
  return [...tensors].find(({ name }) => /(^|\.)embed_tokens\.weight$/.test(name));
}

/** Of the files that vLLM reads; one that the index names and that is not there fails as `IncompleteCheckpoint`. */
async function tensorsIn(folder: string, signal: AbortSignal): Promise<TensorSpec[]> {
  const names = await readdir(folder);
  const listed = await Promise.all(names.map(async (path) => ({ path, size: (await stat(join(folder, path))).size })));
  const { files } = await findWeights(listed, ({ path }) => readFile(join(folder, path), { signal }));
  const tensors: TensorSpec[] = [];
  for (const { path } of files) {
    signal.throwIfAborted();
    // vLLM has read them: whatever it takes is no reason to refuse what it made of them.
    tensors.push(...(await readTensors(join(folder, path), parseAsReference)));
  }
  return tensors;
}

// vLLM joins these into one.
const joined: readonly (readonly [RegExp, string])[] = [
  [/\b[qkv]_proj\b/, 'qkv_proj'],
  [/\b(gate|up)_proj\b/, 'gate_up_proj'],
];

/** Kinds of weights that nothing in the shards is named after, to help whoever reads it; names differ between models. */
function describeLost(given: Iterable<string>, saved: readonly TensorSpec[]): string[] {
  const there = new Set(saved.map(({ name }) => kindOf(name)));
  // It stands for the input embedding too.
  if (saved.some(isOutputEmbedding)) there.add('embed_tokens.weight');
  const lost = new Set(
    [...given].filter((name) => !there.has(kindOf(name))).map((name) => name.replaceAll(/\d+/g, '*'))
  );
  if (lost.size === 0) return [];
  const rest = lost.size > SHOWN ? [`and ${lost.size - SHOWN} more`] : [];
  return [`nothing in them is named after ${[...[...lost].slice(0, SHOWN), ...rest].join(', ')}`];
}

/** The last two words of a name: "self_attn.q_proj.weight" is a "qkv_proj.weight". */
function kindOf(name: string): string {
  const kind = name.split('.').slice(-2).join('.');
  return joined.reduce((text, [source, target]) => text.replace(source, target), kind);
}

function elementsOf({ shape }: TensorSpec): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

function sumOf(tensors: Iterable<TensorSpec>): number {
  let total = 0;
  for (const tensor of tensors) total += elementsOf(tensor);
  return total;
}
