import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { repository } from './manifests.js';

export interface Instruction {
  /** In capitals. */
  readonly name: string;
  readonly rest: string;
}

export interface Stage {
  readonly base: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

export const stages = parseStages(readFileSync(join(repository, 'Dockerfile'), 'utf8'));

/** The stage of this name. */
export function stageOf(name: string): Stage {
  const found = stages.find((stage) => stage.name === name);
  if (found === undefined) throw new Error(`The Dockerfile has no stage ${name}`);
  return found;
}

/** What the last instruction of this name says in a stage. */
export function last(stage: Stage, name: string): string | undefined {
  return stage.instructions.findLast((instruction) => instruction.name === name)?.rest;
}

/** An instruction in its form as a JSON array. */
export function words(rest: string | undefined): string[] {
  return z.array(z.string()).parse(JSON.parse(rest ?? 'null'));
}

/** The variables that the ENV instructions of a stage set. */
export function environmentOf(stage: Stage): Record<string, string> {
  const pairs = stage.instructions.flatMap(({ name, rest }) => (name === 'ENV' ? rest.split(/\s+/) : []));
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

/** COPY instructions: where from (a stage, or undefined for the build context), and what. */
export function copiesOf(stage: Stage): { readonly from: string | undefined; readonly sources: string[] }[] {
  return stage.instructions.flatMap(({ name, rest }) => {
    if (name !== 'COPY') return [];
    const parts = rest.split(/\s+/);
    const from = parts.find((part) => part.startsWith('--from='))?.slice('--from='.length);
    return [{ from, sources: parts.filter((part) => !part.startsWith('--')).slice(0, -1) }];
  });
}

function parseStages(text: string): Stage[] {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*(?:#|$)/.test(line))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  const parsed: { base: string; name: string | undefined; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    if (name.toUpperCase() === 'FROM') {
      const [base = '', , stage] = rest.split(/\s+/);
      parsed.push({ base, name: stage, instructions: [] });
    } else {
      parsed.at(-1)?.instructions.push({ name: name.toUpperCase(), rest });
    }
  }
  return parsed;
}
