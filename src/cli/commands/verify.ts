import { readSettings } from '../../config/environment.js';
import { compact } from '../../core/compact.js';
import { PrefetchError } from '../../core/errors.js';
import { formatBytes } from '../../core/progress-text.js';
import { describeRange } from '../../shard/layout/vllm-version.js';
import { verifyDir, type VerifiedDir } from '../../steps/verify-dir.js';
import { createDependencies } from '../../worker/dependencies.js';
import { type CliContext, complain, printJson, printResult, say } from '../context.js';
import { readDirUrl } from '../dir-url.js';
import type { VerifyOptions } from '../invocation.js';

const SAY_EVERY_MS = 5_000;

/** Checks a Dir against its manifest; fails as `DirNotIntact` when anything is not as it was published. */
export async function runVerify(options: VerifyOptions, context: CliContext): Promise<void> {
  const url = readDirUrl('DIR', options.dir);
  const { deep, tensorParallelSize, dtype, vllmVersion } = options;
  const tool = { name: 'temporal-model-prefetch', version: context.version };
  const dependencies = createDependencies(readSettings(), { embedded: true, tool });
  try {
    const store = await dependencies.openStore(url);
    const asked = compact({ tensorParallelSize, dtype, vllmVersion });
    const report = await verifyDir(
      dependencies,
      { store, deep, ...asked },
      { signal: context.signal, onFile: teller(context) }
    );
    print(report, options, context);
    if (report.problems.length > 0) throw notIntact(report);
  } finally {
    await dependencies.close();
  }
}

/** The report is the result, also of a Dir that is broken. */
function print(report: VerifiedDir, { output }: VerifyOptions, context: CliContext): void {
  if (output === 'json') printJson(context, report);
  else if (report.problems.length === 0) printResult(context, describe(report));
  else for (const problem of report.problems) complain(context, problem);
}

function describe({ dir, repo, commit, files, bytes, compared, sharding }: VerifiedDir): string {
  const rows: [string, string][] = [
    ['Dir', dir],
    ['Model', `${repo} at ${commit}`],
    ['Files', `${String(files)}, ${formatBytes(bytes)}`],
    ['Verified', compared === 'bytes' ? 'every byte' : 'sizes and headers; --deep reads every byte'],
  ];
  if (sharding !== undefined) {
    const versions = sharding.vllmVersions.map(describeRange).join(', ');
    const { tensorParallelSize, dtype, engine } = sharding;
    rows.push([
      'Shards',
      `tensor parallel ${String(tensorParallelSize)}, ${dtype}, engine ${engine}, vLLM ${versions}`,
    ]);
  }
  return rows.map(([name, value]) => `${name.padEnd(8)} ${value}`).join('\n');
}

function notIntact({ dir, problems }: VerifiedDir): PrefetchError {
  const count = problems.length === 1 ? 'a problem' : `${String(problems.length)} problems`;
  return new PrefetchError(
    'DirNotIntact',
    `${dir} has ${count}, said above: bring or shard it again, or start vLLM with what it was made for`
  );
}

function teller(context: CliContext): (progress: { readonly files: number; readonly bytes: number }) => void {
  let saidMs = performance.now();
  return ({ files, bytes }) => {
    if (performance.now() - saidMs < SAY_EVERY_MS) return;
    saidMs = performance.now();
    say(context, `Verified ${String(files)} files, ${formatBytes(bytes)}`);
  };
}
