import { readdirSync, readlinkSync } from 'node:fs';
import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { VllmDependencies, VllmShardRequest } from '../../src/shard/vllm/job.js';
import { openStore, type ObjectStore } from '../../src/storage/index.js';
import { createEngine } from '../../src/transfer/engine.js';
import { shardArgs } from '../shard/vllm/shard-args.js';
import { storeCheckpoint } from './checkpoints.js';
import { vllmPython } from './vllm-python.js';

/** A checkpoint as a Dir in a store, and what it takes to shard it. */
export interface Prepared {
  readonly request: VllmShardRequest;
  readonly dependencies: VllmDependencies;
}

/** Brings a checkpoint into a store as a Dir, to be sharded from there into the same store. */
export async function prepareDir(
  checkpoint: string,
  {
    store,
    scratchFolder,
    args = {},
  }: { readonly store: ObjectStore; readonly scratchFolder: string; readonly args?: Partial<VllmShardRequest['args']> }
): Promise<Prepared> {
  return {
    request: {
      planId: 'abcdef0123456789',
      dirKey: 'model/sharded/',
      source: { dirKey: 'model/plain/', files: await storeCheckpoint(store, 'model/plain/', checkpoint) },
      args: shardArgs(args),
    },
    dependencies: dependenciesFor(store, scratchFolder),
  };
}

/** What shards on this machine. */
export function dependenciesFor(store: ObjectStore, scratchFolder: string): VllmDependencies {
  return {
    store,
    engine: createEngine({ partSizeBytes: 8 * 2 ** 20, lanes: 4, memoryBytes: 2 ** 27 }),
    scratchFolder,
    python: vllmPython,
    environment: process.env,
  };
}

/** Opens a store that is this folder. */
export function openFolder(folder: string): Promise<ObjectStore> {
  return openStore(`file://${folder}/`);
}

/** The sharded Dir in that folder, with the files beside the weights that vLLM wants to load them. */
export async function completeShards(folder: string): Promise<string> {
  const [plain, sharded] = [join(folder, 'model/plain'), join(folder, 'model/sharded')];
  await mkdir(sharded, { recursive: true });
  for (const name of await readdir(plain)) {
    if (!name.endsWith('.safetensors')) await copyFile(join(plain, name), join(sharded, name));
  }
  return sharded;
}

/** Live processes that work in a folder or below. */
export function processesIn(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
      } catch {
        return false; // It has ended, or waits for its parent.
      }
    })
    .map(Number);
}

/** A process that shards, to be killed: `node --import tsx shard-process.ts ROOT SCRATCH REQUEST`. */
export const SHARD_PROCESS = fileURLToPath(new URL('shard-process.ts', import.meta.url));
