import { DefaultLogger, Runtime } from '@temporalio/worker';

/**
 * Keeps the SDK's log off stdout, which carries the result, and leaves signals to the command.
 * To be called before the first connection: the SDK takes one runtime a process.
 */
export function quietRuntime({ verbose }: { readonly verbose: boolean }): void {
  Runtime.install({
    logger: new DefaultLogger(verbose ? 'DEBUG' : 'ERROR', ({ level, message, meta }) => {
      process.stderr.write(`${level} ${message}${verbose && meta !== undefined ? ` ${readable(meta)}` : ''}\n`);
    }),
    telemetryOptions: { logging: { forward: {}, filter: verbose ? 'INFO' : 'ERROR' } },
    shutdownSignals: [],
  });
}

function readable(meta: object): string {
  try {
    return JSON.stringify(meta);
  } catch {
    return '';
  }
}
