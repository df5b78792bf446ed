import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pullDir } from '../../transfer/disk/pull-dir.js';
import { holdScratch, LEFT_BEHIND_MS, sweepScratch, type Scratch } from '../../transfer/disk/scratch.js';
import { driverEnvironment } from './driver/driver-environment.js';
import type { DriverDone, DriverProgress } from './driver/driver-events.js';
import { DRIVER, runDriver } from './driver/run-driver.js';
import { lookForVllm } from './host/look-for-vllm.js';
import { requireResources } from './host/require-resources.js';
import type { VllmDependencies, VllmOptions, VllmProgress, VllmShardRequest, VllmShards } from './job.js';
import { checkOutput } from './output/check-output.js';
import { uploadShards } from './output/upload-shards.js';
import { isSafetensors, sourceForVllm } from './source-for-vllm.js';

/**
 * Shards a Dir with vLLM in a child process: fetches the Dir to local disk, has vLLM write the shards, checks that they
 * are all there, uploads them and removes what was on the disk. What a killed process fetched is used again.
 */
export async function runVllmJob(
  request: VllmShardRequest,
  dependencies: VllmDependencies,
  { signal, onProgress = () => undefined }: VllmOptions
): Promise<VllmShards> {
  const files = sourceForVllm(request.source.files);
  const scratch = await holdScratch(dependencies.scratchFolder, request.planId, { signal });
  try {
    await sweepScratch(dependencies.scratchFolder, { olderThanMs: LEFT_BEHIND_MS, signal });
    await requireResources(request, { ...dependencies, files, scratch }, { signal });
    await lookForVllm(request, dependencies, { signal });
    const { store, engine } = dependencies;
    const { store: sourceStore = store, dirKey } = request.source;
    const source = { store: sourceStore, engine, dirKey, files, folder: scratch.source };
    await pullDir(source, {
      signal,
      onProgress: (progress) => {
        onProgress({ phase: 'materialise', ...progress });
      },
    });
    const weights = files.filter(({ path }) => isSafetensors(path)).reduce((total, { size }) => total + size, 0);
    const done = await runVllm(request, { ...dependencies, scratch }, { signal, onProgress, weights });
    onProgress({ phase: 'check', bytesDone: 0 });
    const shards = await checkOutput(request, scratch, { signal });
    const uploaded = await uploadShards(
      shards.files,
      { store, engine, dirKey: request.dirKey, published: dependencies.published },
      { signal, onProgress }
    );
    return {
      vllmVersion: done.vllm,
      device: done.device,
      dtype: done.dtype,
      untied: done.untiedByCheckpoint && shards.holdsBothEmbeddings,
      files: uploaded,
    };
  } finally {
    await scratch.release();
  }
}

async function runVllm(
  { args, dtype }: VllmShardRequest,
  {
    python,
    driver = DRIVER,
    environment,
    scratch,
    graceMs,
    silenceMs,
  }: VllmDependencies & { readonly scratch: Scratch },
  { signal, onProgress, weights }: Required<VllmOptions> & { readonly weights: number }
): Promise<DriverDone> {
  // Below the folder of this job: what the model's code leaves there goes with it.
  const home = join(scratch.folder, 'home');
  await mkdir(home, { recursive: true });
  return runDriver(
    {
      python,
      driver,
      environment: driverEnvironment(environment, { home }),
      folder: scratch.folder,
      ...(graceMs === undefined ? {} : { graceMs }),
      ...(silenceMs === undefined ? {} : { silenceMs }),
      request: {
        model: scratch.source,
        output: scratch.output,
        tensor_parallel_size: args.tensorParallelSize,
        vllm_version: args.vllmVersion,
        dtype: dtype ?? args.dtype,
        max_model_len: args.maxModelLen ?? null,
        trust_remote_code: args.trustRemoteCode,
        file_pattern: args.filePattern,
        max_file_size: args.maxFileSize,
        device: args.device ?? null,
      },
    },
    {
      signal,
      onEvent: (event) => {
        if (event.event === 'progress') onProgress(progressOf(event, weights));
      },
    }
  );
}

/** Every rank reads all weights and keeps its part of them. */
function progressOf({ phase, rank, ranks, bytes }: DriverProgress, weights: number): VllmProgress {
  return { phase, rank, ranks, bytesDone: bytes, ...(phase === 'load' ? { totalBytes: weights } : {}) };
}
