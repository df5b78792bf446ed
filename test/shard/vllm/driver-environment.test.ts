import { expect, test } from 'vitest';
import { driverEnvironment } from '../../../src/shard/vllm/driver-environment.js';

test('libraries, devices and settings of vLLM are passed on', () => {
  const passed = {
    PATH: '/bin',
    HOME: '/home/me',
    LD_LIBRARY_PATH: '/lib',
    CUDA_VISIBLE_DEVICES: '0,1',
    NVIDIA_VISIBLE_DEVICES: 'all',
    NCCL_DEBUG: 'WARN',
    VLLM_LOGGING_LEVEL: 'DEBUG',
    VLLM_MAX_TOKENS_PER_EXPERT_FP4_MOE: '1',
    OMP_NUM_THREADS: '2',
    LC_ALL: 'C.UTF-8',
    TMPDIR: '/tmp',
  };
  expect(driverEnvironment(passed, { hubHome: '/scratch/hub' })).toEqual({ ...passed, HF_HOME: '/scratch/hub' });
});

test('no secret and nothing that nobody asked for is passed on', () => {
  const kept = {
    HF_TOKEN: 'hf_x',
    HF_HOME: '/home/me/.cache/huggingface',
    HUGGING_FACE_HUB_TOKEN: 'hf_x',
    AWS_ACCESS_KEY_ID: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
    AWS_PROFILE: 'x',
    TEMPORAL_API_KEY: 'x',
    TEMPORAL_ADDRESS: 'x',
    MODEL_PREFETCH_STORE: 's3://x',
    VLLM_API_KEY: 'x',
    CUDA_SECRET: 'x',
    OPENAI_API_KEY: 'x',
    HTTPS_PROXY: 'http://user:password@proxy',
    NODE_OPTIONS: '--inspect',
    MY_PASSWORD: 'x',
    LANG: undefined,
  };
  expect(driverEnvironment(kept, { hubHome: '/scratch/hub' })).toEqual({ HF_HOME: '/scratch/hub' });
});
