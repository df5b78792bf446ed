import { parseArgs } from 'node:util';
import { explore, type Outcome } from './explore.js';
import { folderLike } from './folder-like.js';
import { s3Like } from './s3-like.js';
import { makeSameEveryTime } from './same-every-time.js';
import { inForm, scenarios } from './scenarios.js';
import type { Bounds } from './scenario.js';

/** Explores, and prints a line of JSON or a paragraph for each scenario and kind of store. */
async function main(): Promise<void> {
  makeSameEveryTime();
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string', default: '' },
      store: { type: 'string' },
      form: { type: 'string', default: 'short' },
      // As in 1/2: every second one, from the first.
      share: { type: 'string', default: '1/1' },
      switches: { type: 'string' },
      seconds: { type: 'string', default: '3600' },
      states: { type: 'string', default: '20000000' },
      // Sorts of violations that are enough.
      until: { type: 'string', multiple: true },
      traces: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const [share = 1, shares = 1] = values.share.split('/').map(Number);
  const limits = { seconds: Number(values.seconds), states: Number(values.states), until: values.until ?? [] };
  const jobs = scenarios
    .filter(({ name }) => name.includes(values.scenario))
    .flatMap((scenario) => KINDS.map((kind) => ({ scenario, kind })))
    .filter(({ kind }) => values.store === undefined || kind.name === values.store)
    .filter((_job, position) => position % shares === share - 1);
  for (const { scenario, kind } of jobs) {
    const formed = inForm(scenario, values.form === 'long' ? 'long' : 'short');
    const switches = values.switches === undefined ? formed.bounds.switches : Number(values.switches);
    const outcome = await explore({ ...formed, bounds: { ...formed.bounds, switches } }, kind, limits);
    console.log(values.json ? JSON.stringify(outcome) : paragraph(outcome, values.traces));
  }
}

const KINDS = [
  s3Like({ conditional: true }),
  s3Like({ conditional: false }),
  folderLike({ conditional: true }),
  folderLike({ conditional: false }),
];

function paragraph(outcome: Outcome, traces: boolean): string {
  const { scenario, store, bounds, complete, states, schedules, places, seconds, violations } = outcome;
  const found = Object.entries(violations).map(([sort, { count, schedule }]) => {
    const lines = traces ? schedule : schedule.slice(-1);
    return [
      `  ${sort} (${count} times, first after ${schedule.length - 1} moves)`,
      ...lines.map((line) => `    ${line}`),
    ];
  });
  const ways = complete ? `${schedules.toPrecision(3)} schedules` : 'not to the end';
  return [
    `${scenario}; ${store}; ${boundsText(bounds)}`,
    `  ${states} states, ${ways}, ${places} places in the code, ${seconds.toFixed(1)} s`,
    ...(found.length === 0 ? ['  no violation'] : found.flat()),
  ].join('\n');
}

function boundsText({ switches, ...bounds }: Bounds): string {
  const some = Object.entries(bounds).flatMap(([name, count]) => (count === 0 ? [] : [`${name} ${String(count)}`]));
  return [...some, `switches ${switches === undefined ? 'any' : String(switches)}`].join(', ');
}

await main();
