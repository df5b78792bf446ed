// npm run api: writes api/*.api.md, what each entry point of the package offers. `npm run check` compares. Needs the build.
import { mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CompilerState, Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';
import { root, step } from './steps.mjs';

const folder = join(root, 'api');

/**
 * Compares the reports with the built types, or writes them anew.
 * @param {{ write?: boolean }} [options]
 * @returns {Promise<string>} how many there are; rejects with the names of those that differ
 */
export async function reportApi({ write = false } = {}) {
  const temporary = await mkdtemp(join(tmpdir(), 'model-prefetch-api-'));
  try {
    if (write) await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const entryPoints = await readEntryPoints();
    const reports = entryPoints.map((entryPoint) => ({ ...entryPoint, config: configOf(entryPoint, temporary) }));
    const [first] = reports;
    // One program of all entry points, for parsing them is what takes the time.
    const compilerState = CompilerState.create(first.config, {
      additionalEntryPoints: reports.map(({ types }) => types),
    });
    const problems = reports.flatMap((report) => extract(report, { compilerState, write }));
    const known = new Set(entryPoints.map(({ report }) => report));
    const left = (await readdir(folder))
      .filter((file) => !known.has(file))
      .map((file) => `api/${file} is of no entry point.`);
    if (problems.length + left.length > 0) throw new Error([...problems, ...left].join('\n'));
    return `${entryPoints.length} entry points`;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function readEntryPoints() {
  const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  return Object.entries(exports).flatMap(([name, { types }]) =>
    types === undefined
      ? []
      : [{ types: join(root, types), report: `${name.slice(2).replaceAll('/', '-') || 'index'}.api.md` }]
  );
}

function configOf({ types, report }, temporary) {
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: types,
      newlineKind: 'lf',
      compiler: { tsconfigFilePath: join(root, 'tsconfig.build.json') },
      // What is not exported but shows through an export, such as the schema that a type comes from, belongs to it.
      apiReport: {
        enabled: true,
        includeForgottenExports: true,
        reportFileName: report,
        reportFolder: folder,
        reportTempFolder: temporary,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, 'package.json'),
  });
}

function extract({ config, report }, { compilerState, write }) {
  const problems = [];
  const { apiReportChanged } = Extractor.invoke(config, {
    compilerState,
    localBuild: write,
    messageCallback: (message) => {
      message.handled = true;
      if (message.logLevel === ExtractorLogLevel.Error) problems.push(message.text);
    },
  });
  const changed = apiReportChanged && !write;
  return changed
    ? [...problems, `api/${report} is not what dist has: npm run api, and look at what changed.`]
    : problems;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const good = await step('Write the API reports', () => reportApi({ write: true }));
  process.exitCode = good ? 0 : 1;
}
