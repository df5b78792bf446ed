// npm run api: writes api/*.api.md, what each entry point of the package offers. `npm run check` compares. Needs the build.
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
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
    const reports = await extractAll(temporary);
    if (write) await writeReports(reports);
    const problems = await compare(reports);
    if (problems.length > 0) throw new Error(problems.join('\n'));
    return `${reports.size} entry points`;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** @returns {Promise<Map<string, string>>} the text of each report by its file name */
async function extractAll(temporary) {
  const entryPoints = await readEntryPoints();
  const configs = entryPoints.map((entryPoint) => ({ ...entryPoint, config: configOf(entryPoint, temporary) }));
  // One program of all entry points, for parsing them is what takes the time.
  const additionalEntryPoints = configs.map(({ types }) => types);
  const compilerState = CompilerState.create(configs[0].config, { additionalEntryPoints });
  const texts = new Map();
  for (const { config, report } of configs) {
    extract(config, compilerState);
    texts.set(report, inOneOrder(await readFile(join(temporary, report), 'utf8')));
  }
  return texts;
}

async function writeReports(reports) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const [report, text] of reports) await writeFile(join(folder, report), text);
}

async function compare(reports) {
  const there = await readdir(folder).catch(() => []);
  const left = there.filter((file) => !reports.has(file)).map((file) => `api/${file} is of no entry point.`);
  const changed = [];
  for (const [report, text] of reports) {
    const known = there.includes(report) ? await readFile(join(folder, report), 'utf8') : undefined;
    if (known !== text) changed.push(`api/${report} is not what dist has: npm run api, and look at what changed.`);
  }
  return [...changed, ...left];
}

/** The compiler names the members of an enum in the order in which it came upon them, which no change of the surface is. */
function inOneOrder(text) {
  return text.replaceAll(
    /(?:^ *\w+: "[^"\n]*";\n)+/gm,
    (members) => `${members.trimEnd().split('\n').sort().join('\n')}\n`
  );
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
        reportFolder: temporary,
        reportTempFolder: join(temporary, 'temp'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, 'package.json'),
  });
}

function extract(config, compilerState) {
  const problems = [];
  Extractor.invoke(config, {
    compilerState,
    // Writes the report where it is told; what is compared is ours to do.
    localBuild: true,
    messageCallback: (message) => {
      message.handled = true;
      if (message.logLevel === ExtractorLogLevel.Error) problems.push(message.text);
    },
  });
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const good = await step('Write the API reports', () => reportApi({ write: true }));
  process.exitCode = good ? 0 : 1;
}
