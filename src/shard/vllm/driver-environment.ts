type Environment = Readonly<Record<string, string | undefined>>;

const names = new Set([
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'LANG',
  'TZ',
  'TMPDIR',
  'VIRTUAL_ENV',
  'PYTHONPATH',
  'PYTHONHOME',
  'LD_LIBRARY_PATH',
  'LD_PRELOAD',
  'DYLD_LIBRARY_PATH',
  'XDG_CACHE_HOME',
  'XDG_CONFIG_HOME',
]);
const prefixes =
  /^(LC|CUDA|NVIDIA|NCCL|GLOO|VLLM|OMP|KMP|MKL|TORCH|PYTORCH|TORCHINDUCTOR|TRITON|FLASHINFER|ROCM|ROCR|HIP|HSA)_/;
const secret = /(^|_)(\w*KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)(_|$)/i;

/**
 * What vLLM needs of this process's environment: how to find its libraries and its devices. Code of a model may run there
 * (with `trustRemoteCode`), so no credential of the Hub, the store or Temporal is among it.
 */
export function driverEnvironment(
  environment: Environment,
  { hubHome }: { readonly hubHome: string }
): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || secret.test(name)) continue;
    if (names.has(name) || prefixes.test(name)) passed[name] = value;
  }
  // A model's code is copied below this folder, and goes with it.
  return { ...passed, HF_HOME: hubHome };
}
