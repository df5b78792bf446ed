import { expect, test } from 'vitest';
import { driverEnvironment } from '../../../../src/shard/vllm/driver/driver-environment.js';

const own = { HOME: '/scratch/home', HF_HOME: '/scratch/home/hub', PYTHONUSERBASE: '/home/me/.local' };

test('libraries, devices and settings of vLLM are passed on', () => {
  const passed = {
    PATH: '/bin',
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
  expect(driverEnvironment({ ...passed, HOME: '/home/me' }, { home: '/scratch/home' })).toEqual({ ...passed, ...own });
});

test('no secret and nothing that nobody asked for is passed on', () => {
  const kept = {
    HOME: '/home/me',
    XDG_CONFIG_HOME: '/home/me/.config',
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
  expect(driverEnvironment(kept, { home: '/scratch/home' })).toEqual(own);
});

test('packages of the user are found where they are, though his home is not passed on', () => {
  expect(driverEnvironment({ PYTHONUSERBASE: '/opt/mine' }, { home: '/h' })).toMatchObject({
    PYTHONUSERBASE: '/opt/mine',
  });
});
