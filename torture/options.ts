import { parseArgs } from 'node:util';
import { scenarioNames, type ScenarioName } from './plan/scenarios.js';
import { STORE_KINDS, type StoreKind } from './plan/round-plan.js';

/** What the command line asks for. */
export interface TortureOptions {
  readonly seed: number;
  /** First round; undefined goes on after the last one of the report. */
  readonly from?: number;
  /** How many rounds the whole run has. */
  readonly rounds: number;
  readonly minutes: number;
  readonly stores: readonly StoreKind[];
  /** Only these; all where none is named. */
  readonly scenarios: readonly ScenarioName[];
  readonly report?: string;
  readonly short: boolean;
  /** Prints plans and plays nothing. */
  readonly plan: boolean;
}

export const USAGE = `npm run torture -- [FLAGS]

  --rounds N       rounds to play (default 500; with --short 12)
  --seed S         decides all choices of all rounds (default 1)
  --from K         first round (default 0, or after the last one in the report)
  --round K        this round only
  --minutes M      starts no round after so many minutes
  --stores A,B     ${STORE_KINDS.join(', ')} (default all)
  --scenarios A,B  ${scenarioNames(false).join(', ')}
                   (default all)
  --report FILE    keeps a line of JSON for each round, and goes on after the last one
  --short          the form for CI: no round is started after a minute, and none waits for heartbeats
  --plan           prints the plans of the rounds and plays nothing
  --help           prints this`;

const SHORT = { rounds: 12, minutes: 1 };
const LONG = { rounds: 500, minutes: Infinity };

/** Reads the flags; undefined when only help was asked for. */
export function readOptions(args: readonly string[]): TortureOptions | undefined {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{
        rounds: text,
        seed: text,
        from: text,
        round: text,
        minutes: text,
        stores: text,
        scenarios: text,
        report: text,
      },
      ...{ short: flag, plan: flag, help: flag },
    },
  });
  if (values.help) return undefined;
  const defaults = values.short ? SHORT : LONG;
  const from = wholeNumber('--from', values.round ?? values.from);
  const rounds = values.round === undefined ? (wholeNumber('--rounds', values.rounds) ?? defaults.rounds) : 1;
  return {
    seed: wholeNumber('--seed', values.seed) ?? 1,
    ...(from === undefined ? {} : { from }),
    rounds: values.round === undefined ? rounds : (from ?? 0) + 1,
    minutes: values.minutes === undefined ? defaults.minutes : Number(values.minutes),
    stores: storeKinds(values.stores),
    scenarios: scenarioList(values.scenarios) ?? scenarioNames(values.short),
    ...(values.report === undefined ? {} : { report: values.report }),
    short: values.short,
    plan: values.plan,
  };
}

function wholeNumber(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d{1,9}$/.test(value)) throw new Error(`${flag}: expected a whole number`);
  return Number(value);
}

function scenarioList(list: string | undefined): readonly ScenarioName[] | undefined {
  return list?.split(',').map((name) => {
    const known = scenarioNames(false).find((scenario) => scenario === name.trim());
    if (known === undefined) throw new Error(`--scenarios: expected some of ${scenarioNames(false).join(', ')}`);
    return known;
  });
}

function storeKinds(list: string | undefined): readonly StoreKind[] {
  if (list === undefined) return STORE_KINDS;
  return list.split(',').map((name) => {
    const kind = STORE_KINDS.find((known) => known === name);
    if (kind === undefined) throw new Error(`--stores: expected some of ${STORE_KINDS.join(', ')}`);
    return kind;
  });
}
