import { type Command, Option } from 'commander';
import { compact } from '../../core/compact.js';
import { PrefetchError } from '../../core/errors.js';
import { addInputFlags, readInputFlags, readModels, type InputFlags } from '../input-flags.js';
import { addCommonFlags, addTimeout, common, declare, type Flags, type Take } from './command.js';

const REPO = 'Repo on the Hub: owner/name, owner/name@revision, or the address of its page';

/** Declares `hf-model`. */
export function declareHfModel(program: Command, take: Take): void {
  const command = addInputFlags(
    declare(program, 'hf-model').argument('<REPO...>', `${REPO}; several are brought side by side`)
  );
  command
    .optionsGroup('Where to:')
    .option('--store <url>', 'Root of the store, embedded mode only. Default: MODEL_PREFETCH_STORE')
    .optionsGroup('Waiting:')
    .option('--wait', 'Wait for the result (embedded: always). Default: --no-wait')
    .addOption(new Option('--no-wait').hideHelp());
  addTimeout(command, 'on a cluster it implies --wait and the run goes on, embedded the same command goes on');
  addCommonFlags(command).action((repos: string[], flags: Flags<InputFlags & { wait?: boolean; store?: string }>) => {
    if (flags.wait === false && flags.timeout !== undefined) {
      throw new PrefetchError('InvalidInput', '--timeout: nothing is waited for with --no-wait; leave one of them out');
    }
    const wait = flags.wait ?? flags.timeout !== undefined;
    const options = { ...readModels(repos, flags), ...common(flags), wait };
    take({ command: 'hf-model', options: { ...options, ...compact({ store: flags.store }) } });
  });
}

/** Declares `plan`. */
export function declarePlan(program: Command, take: Take): void {
  const command = addInputFlags(declare(program, 'plan').argument('<REPO>', REPO));
  command
    .optionsGroup('Where to:')
    .option('--store <url>', 'Root of the store. Default: MODEL_PREFETCH_STORE, else the embedded store')
    .optionsGroup('Waiting:');
  addTimeout(command, 'nothing is left behind');
  addCommonFlags(command).action((repo: string, flags: Flags<InputFlags & { store?: string }>) => {
    const options = { ...readInputFlags(repo, flags), ...common(flags), ...compact({ store: flags.store }) };
    take({ command: 'plan', options });
  });
}

/** Declares `id`. */
export function declareId(program: Command, take: Take): void {
  const command = addInputFlags(declare(program, 'id').argument('<REPO>', REPO), { identityOnly: true });
  addCommonFlags(command).action((repo: string, flags: Flags<InputFlags>) => {
    take({ command: 'id', options: { ...readInputFlags(repo, flags), ...common(flags) } });
  });
}
