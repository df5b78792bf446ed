import { type Command } from 'commander';
import { isPrefetchError, PrefetchError } from '../../core/errors.js';
import { addInputFlags, hasInputFlags, readInputFlags, type InputFlags } from '../input-flags.js';
import type { TargetCandidate } from '../invocation.js';
import { addCommonFlags, addTimeout, common, declare, type Flags, type Take } from './command.js';

const TARGET = 'REPO with the flags it was started with, or the workflow ID of a run';

/** Declares `status`, `result` or `cancel`. */
export function declareTarget(program: Command, name: 'status' | 'result' | 'cancel', take: Take): void {
  const command = declare(program, name)
    .argument('[WORKFLOW_ID|REPO]', TARGET)
    .optionsGroup('Which run:')
    .option('-w, --workflow-id <id>', 'Workflow ID of the run, whatever it looks like');
  addInputFlags(command, { identityOnly: true });
  if (name === 'result') addTimeout(command.optionsGroup('Waiting:'), 'the run goes on');
  addCommonFlags(command).action((target: string | undefined, flags: Flags<InputFlags & { workflowId?: string }>) => {
    take({ command: name, options: { ...common(flags), candidates: candidatesOf(target, flags) } });
  });
}

/** What the argument may mean, in the order that it is looked for. */
function candidatesOf(
  target: string | undefined,
  flags: Flags<InputFlags & { workflowId?: string }>
): TargetCandidate[] {
  const { workflowId } = flags;
  if (workflowId !== undefined) {
    if (target !== undefined) throw invalid('--workflow-id: the argument names a run already; leave one of them out');
    if (workflowId === '') throw invalid('--workflow-id: expected the ID of a workflow, got nothing');
    if (hasInputFlags(flags)) throw namesAll('--workflow-id');
    return [{ workflowId }];
  }
  if (target === undefined) throw invalid("missing required argument 'WORKFLOW_ID|REPO', or --workflow-id <id>");
  // An address names a repo, and so does whatever has flags of a model beside it.
  if (/^(?:https?|hf):\/\//i.test(target)) return [readInputFlags(target, flags)];
  if (hasInputFlags(flags)) {
    if (target.startsWith('prefetch/')) throw namesAll('WORKFLOW_ID');
    return [readInputFlags(target, flags)];
  }
  return guesses(target, flags);
}

/** Our own IDs have an "@", which no repo has in its name: with one, an ID comes first. */
function guesses(target: string, flags: InputFlags): TargetCandidate[] {
  const model = asModel(target, flags);
  if (model === undefined) return [{ workflowId: target }];
  return target.includes('@') ? [{ workflowId: target }, model] : [model, { workflowId: target }];
}

function asModel(target: string, flags: InputFlags): TargetCandidate | undefined {
  try {
    return readInputFlags(target, flags);
  } catch (error) {
    if (isPrefetchError(error, 'InvalidInput') && target !== '') return undefined;
    throw error;
  }
}

function namesAll(what: string): PrefetchError {
  return invalid(`${what}: it names the run completely; leave out the flags of the model`);
}

function invalid(text: string): PrefetchError {
  return new PrefetchError('InvalidInput', text);
}
