import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from './run-tool.js';

/**
 * The SDK downloads only while it starts a server, and it takes one runtime a process:
 * so a process of its own does it, and ends the server at once.
 */
const SCRIPT = `
const { Runtime } = require('@temporalio/worker');
const { version } = require('@temporalio/worker/package.json');
const runtime = Runtime.instance();
runtime
  .createEphemeralServer({
    type: 'dev-server',
    exe: {
      type: 'cached-download', downloadDir: process.argv[1], version: 'default', ttl: 86_400_000,
      sdkName: 'sdk-typescript', sdkVersion: version,
    },
    ip: '127.0.0.1', port: null, ui: false, uiPort: null, namespace: 'default', dbFilename: null,
    log: { format: 'pretty', level: 'error' }, extraArgs: [],
  })
  .then((server) => runtime.shutdownEphemeralServer(server))
  .then(() => process.exit(0), (error) => { console.error(String(error.message)); process.exit(1); });
`;

/** Where the Temporal SDK downloads the CLI to, and where that SDK is. */
export interface SdkDownload {
  /** An empty folder to download into. */
  readonly folder: string;
  /** The SDK is looked up from here. */
  readonly packageRoot: string;
  readonly signal: AbortSignal | undefined;
}

/** Has the Temporal SDK download the Temporal CLI that belongs to it; gives the path of the executable. */
export async function downloadWithSdk({ folder, packageRoot, signal }: SdkDownload): Promise<string> {
  await runTool(process.execPath, ['-e', SCRIPT, folder], { signal, timeoutMs: 120_000, cwd: packageRoot });
  const executable = (await readdir(folder)).find((name) => name.startsWith('temporal'));
  if (executable === undefined) throw new Error('the SDK left no executable');
  return join(folder, executable);
}
