import { homedir } from 'node:os';
import { join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

const names = new Set([
  'PATH',
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
]);
const prefixes =
  /^(LC|CUDA|NVIDIA|NCCL|GLOO|VLLM|OMP|KMP|MKL|TORCH|PYTORCH|TORCHINDUCTOR|TRITON|FLASHINFER|ROCM|ROCR|HIP|HSA)_/;
const secret = /(^|_)(\w*KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)(_|$)/i;

/**
 * What vLLM needs of this process's environment: how to find its libraries and its devices. Code of a model may run there
 * (with `trustRemoteCode`), so no credential of the Hub, the store or Temporal is among it, and neither is the home of the
 * user, where programs keep theirs: `home` takes its place.
 */
export function driverEnvironment(
  environment: Environment,
  { home }: { readonly home: string }
): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || secret.test(name)) continue;
    if (names.has(name) || prefixes.test(name)) passed[name] = value;
  }
  return {
    ...passed,
    HOME: home,
    // Where `pip install --user` put vLLM; Python looks for it in the home.
    PYTHONUSERBASE: environment['PYTHONUSERBASE'] ?? join(environment['HOME'] ?? homedir(), '.local'),
    // A model's code is copied below this folder, and goes with it.
    HF_HOME: join(home, 'hub'),
  };
}
