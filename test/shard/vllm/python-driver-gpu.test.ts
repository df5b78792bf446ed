import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runDriver, type DriverJob } from '../../../src/shard/vllm/driver/run-driver.js';
import { failure, live } from '../../helpers/transfer-setup.js';
import { python, pythonJob, vllmModule } from './python-jobs.js';

/** An engine that writes down what it is asked. */
const engine = `
import json, os
def note(what, **facts):
    with open(os.environ["VLLM_FAKE_OUT"], "a") as file:
        file.write(json.dumps({"what": what, **facts}) + "\\n")
class Core:
    def save_sharded_state(self, path, pattern, max_size):
        note("save", pattern=pattern, max_size=max_size)
        if os.environ.get("VLLM_FAKE_FAILURE"):
            raise RuntimeError(os.environ["VLLM_FAKE_FAILURE"])
        open(os.path.join(path, "shard"), "w").close()
    def shutdown(self):
        note("shutdown")
class Config:
    dtype = "torch.bfloat16"
    word_embeddings_untied_by_checkpoint = True
class Engine:
    engine_core = Core()
    model_config = Config()
class LLM:
    def __init__(self, **arguments):
        note("start", **arguments)
        self.llm_engine = Engine()`;

const platform = (cuda: boolean) => `
class current_platform:
    is_cuda_alike = staticmethod(lambda: ${cuda ? 'True' : 'False'})`;

async function gpuJob(
  {
    config = {},
    cuda = true,
    environment = {},
  }: { config?: object; cuda?: boolean; environment?: Record<string, string> },
  request: Partial<DriverJob['request']> = {}
): Promise<DriverJob & { readonly notes: () => Promise<Record<string, unknown>[]> }> {
  const modules = { ...vllmModule(engine), 'vllm/platforms.py': platform(cuda) };
  const job = await pythonJob(modules, { request, environment: { VLLM_FAKE_GPUS: '2', ...environment } });
  await writeFile(join(job.request.model, 'config.json'), JSON.stringify(config));
  const out = join(job.folder, 'notes');
  return {
    ...job,
    environment: { ...job.environment, VLLM_FAKE_OUT: out },
    notes: async () =>
      (await readFile(out, 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

const started = async (...given: Parameters<typeof gpuJob>): Promise<Record<string, unknown>> => {
  const job = await gpuJob(...given);
  await runDriver(job, live());
  return (await job.notes())[0] ?? {};
};

describe.skipIf(python === undefined)('on a host with GPUs', () => {
  test('an engine loads, saves and is shut down', async () => {
    const job = await gpuJob({}, { dtype: 'float16', trust_remote_code: true });
    expect(await runDriver(job, live())).toEqual({
      event: 'done',
      vllm: '0.32.0',
      device: 'gpu',
      dtype: 'bfloat16',
      untiedByCheckpoint: true,
    });
    expect(await job.notes()).toMatchObject([
      {
        what: 'start',
        model: job.request.model,
        tensor_parallel_size: 2,
        dtype: 'float16',
        trust_remote_code: true,
        enforce_eager: true,
        max_model_len: -1,
      },
      { what: 'save', pattern: job.request.file_pattern, max_size: job.request.max_file_size },
      { what: 'shutdown' },
    ]);
    expect(await readdir(job.request.output)).toEqual(['shard']);
  });

  test('the engine is shut down when saving fails, too', async () => {
    const job = await gpuJob({ environment: { VLLM_FAKE_FAILURE: 'CUDA out of memory. Tried to allocate 2 GiB' } });
    const error = await failure(runDriver(job, live()));
    expect(error).toMatchObject({ code: 'VllmFailed', details: { kind: 'out-of-memory' } });
    expect((await job.notes()).at(-1)).toEqual({ what: 'shutdown' });
  });

  test('a length that is asked is passed on, and then the cache is not bounded', async () => {
    const given = await started({}, { max_model_len: 4096 });
    expect(given).toMatchObject({ max_model_len: 4096 });
    expect(given).not.toHaveProperty('kv_cache_memory_bytes');
  });

  test.each([
    ['experts', { num_local_experts: 8 }, 'triton'],
    ['experts below', { text_config: { num_experts: 8 } }, 'triton'],
    ['quantized experts', { num_experts: 8, quantization_config: { quant_method: 'fp8' } }, undefined],
    ['no experts', { hidden_size: 8 }, undefined],
  ])('the weights of %s are saved as kernels have them that change nothing', async (_what, config, backend) => {
    expect((await started({ config }))['moe_backend']).toBe(backend);
  });

  test('fewer of them than ranks are refused where GPUs are asked for', async () => {
    const error = await failure(runDriver(await gpuJob({}, { tensor_parallel_size: 4, device: 'gpu' }), live()));
    expect(error).toMatchObject({ code: 'InsufficientResources' });
    expect(String(error)).toContain('4 GPUs are needed, this host has 2');
  });

  test.each([
    ['the CPU is asked for', {}, { device: 'cpu' as const }],
    ['there are fewer than ranks', {}, { tensor_parallel_size: 4 }],
    ['vLLM is built for CPUs', { cuda: false }, {}],
  ])('the CPU shards when %s', async (_when, given, request) => {
    const error = await failure(runDriver(await gpuJob(given, request), live()));
    // That way asks for more of vLLM than there is here.
    expect(error).toMatchObject({ code: 'VllmUnavailable', details: { kind: 'private-api' } });
  });

  test('vLLM that is built for CPUs is refused where GPUs are asked for', async () => {
    const error = await failure(runDriver(await gpuJob({ cuda: false }, { device: 'gpu' }), live()));
    expect(error).toMatchObject({ code: 'InsufficientResources' });
    expect(String(error)).toContain('built for CPUs');
  });
});
