import { type Command, Option } from 'commander';
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from '../../config/worker-settings.js';
import { compact } from '../../core/compact.js';
import { PrefetchError } from '../../core/errors.js';
import { ROLES, type Role } from '../../core/queues.js';
import { durationMs, portNumber } from '../flag-values.js';
import { addCommonFlags, common, declare, describe, type Flags, type Take } from './command.js';

interface WorkerFlags {
  readonly roles?: string;
  readonly gpu?: string;
  readonly taskQueue?: string;
  readonly exitWhenIdle?: number;
  readonly identity?: string;
  readonly deploymentName?: string;
  readonly buildId?: string;
  readonly log?: LogFormat;
  readonly logLevel?: LogLevel;
  readonly skipChecks?: boolean;
}

/** Declares `worker`. */
export function declareWorker(program: Command, take: Take): void {
  describeWorker(program.command('worker'), take);
}

/** Makes a command the one that runs a worker: `model-prefetch worker`, or a program of its own. */
export function describeWorker(command: Command, take: Take): Command {
  describe(command, 'worker')
    .optionsGroup('What it serves:')
    .option(
      '--roles <list>',
      `What this process serves, separated by commas: ${ROLES.join(', ')}. Default: all but gpu`
    )
    .option('--gpu <spec>', 'GPUs of this host, MODEL:COUNT, for the role gpu. Default: runs that name none')
    .option('--task-queue <name>', 'Base name of the task queues. Default: MODEL_PREFETCH_TASK_QUEUE')
    .option('--exit-when-idle <duration>', 'End after so long without a task, such as 10m. Default: never', durationMs)
    .optionsGroup('How Temporal knows it:')
    .option('--identity <name>', 'Name of this process in histories and task queues. Default: process ID and host')
    .option('--deployment-name <name>', 'Worker Versioning: the deployment. Default: TEMPORAL_DEPLOYMENT_NAME')
    .option('--build-id <id>', 'Worker Versioning: the build of this worker. Default: TEMPORAL_WORKER_BUILD_ID')
    .optionsGroup('How it runs:')
    .addOption(
      new Option('--log <format>', 'Form of the log on stderr: text or json. Default: text').choices(LOG_FORMATS)
    )
    .addOption(
      new Option(
        '--log-level <level>',
        `From what weight on it tells: ${LOG_LEVELS.join(', ')}. Default: info`
      ).choices(LOG_LEVELS)
    )
    .option('--skip-checks', 'Take work without a look at Temporal, store, tokens, Hub and disk first');
  return addCommonFlags(command, 'none').action((flags: Flags<WorkerFlags>) => {
    const { gpu, taskQueue, exitWhenIdle: exitWhenIdleMs, identity, deploymentName, buildId } = flags;
    const { log: logFormat, logLevel } = flags;
    const checks = flags.skipChecks === true ? false : undefined;
    const roles = flags.roles === undefined ? undefined : readRoles(flags.roles);
    take({
      command: 'worker',
      options: {
        ...common(flags),
        ...compact({ roles, gpu, taskQueue, exitWhenIdleMs, identity, deploymentName, buildId }),
        ...compact({ logFormat, logLevel, checks }),
      },
    });
  });
}

function readRoles(list: string): Role[] {
  const names = list.split(',').map((name) => name.trim());
  const roles = ROLES.filter((role) => names.includes(role));
  const unknown = names.filter((name) => !ROLES.some((role) => role === name));
  if (unknown.length === 0) return roles;
  throw new PrefetchError('InvalidInput', `--roles: "${unknown.join('", "')}" is none of ${ROLES.join(', ')}`);
}

interface DevHubFlags {
  readonly host?: string;
  readonly port?: number;
  readonly cdnPort?: number;
  readonly tokenFile?: string;
}

/** Declares `dev-hub`. */
export function declareDevHub(program: Command, take: Take): void {
  const command = declare(program, 'dev-hub')
    .argument('<DIR>', 'Folder of models: DIR/<owner>/<name>/...')
    .optionsGroup('How it serves:')
    .option('--host <address>', 'Address to listen on. Default: 127.0.0.1')
    .option('--port <port>', 'Port of the Hub. Default: a free one', portNumber)
    .option('--cdn-port <port>', 'Port of the CDN. Default: a free one', portNumber)
    .option('--token-file <file>', 'JSON with the accounts by token: {"hf_...": {"name": "me"}}. Default: no tokens');
  addCommonFlags(command, 'none').action((folder: string, flags: Flags<DevHubFlags>) => {
    const { host, port, cdnPort, tokenFile } = flags;
    take({
      command: 'dev-hub',
      options: { folder, ...common(flags), ...compact({ host, port, cdnPort, tokenFile }) },
    });
  });
}
