import { DefaultLogger, Runtime } from '@temporalio/worker';
import { withoutSecrets } from '../../core/foreign-text.js';

/**
 * Keeps the SDK's log off stdout, which carries the result, and leaves signals to the command.
 * To be called before the first connection: the SDK takes one runtime a process.
 */
export function quietRuntime({ verbose }: { readonly verbose: boolean }): void {
  Runtime.install({
    logger: new DefaultLogger(verbose ? 'DEBUG' : 'ERROR', ({ level, message, meta }) => {
      const line = `${level} ${message}${verbose && meta !== undefined ? ` ${readable(meta)}` : ''}`;
      process.stderr.write(`${withoutSecrets(line)}\n`);
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
