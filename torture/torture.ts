// The torture run: `npm run torture -- --help` lists its flags.
//
// It plays rounds of the built package (dist/) on real parts: a Temporal dev server and workers as processes, embedded
// `hf-model` commands, a folder, versitygw and MinIO behind a proxy that makes faults, and the package's own dev Hub.
// In each round several commands bring one model at once while processes are killed, stopped and woken again, answers
// are lost, and bytes are wrong. A reader of its own reads what is published all the time. No reader may ever see a wrong
// or a missing object of a published Dir, every Dir must be there in the end, and nothing may be left over.
//
// All choices of a round follow from the seed and the number of the round, and the moments are counted in bytes and
// requests, not in seconds; so a round that failed can be played again: `--seed S --round K`. Build first: npm run build.
//
//   options.ts   the flags
//   plan/        draws what happens in a round
//   world/       the real parts: processes, stores, the Hub, the Temporal server
//   reader/      the process that reads published Dirs
//   round/       plays a round and looks at what came of it
//   report.ts    a line for each round, and the table at the end
import { makePlan } from './plan/make-plan.js';
import { readOptions, USAGE, type TortureOptions } from './options.js';
import { addToReport, readReport, summarise } from './report.js';
import { playRound } from './round/play-round.js';
import type { RoundRecord } from './round/record.js';
import { makeWorld, type World } from './world/world.js';

const options = readOptions(process.argv.slice(2));
if (options === undefined) console.log(USAGE);
else if (options.plan) printPlans(options);
else process.exitCode = await torture(options);

/** Plays all rounds and prints what came of them; 0 only when nothing was found. */
async function torture(options: TortureOptions): Promise<number> {
  const { seed, report } = options;
  const records = report === undefined ? [] : await readReport(report, seed);
  const world = await makeWorld();
  const interrupted = new AbortController();
  const lost: unknown[] = [];
  // A mistake of this run must not end it after hours, nor be lost.
  process.on('unhandledRejection', (reason) => {
    console.error('Unhandled:', reason);
    lost.push(reason);
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      console.log('Stops after this round');
      interrupted.abort();
    });
  }
  try {
    for await (const record of rounds(world, options, { done: records, signal: interrupted.signal })) {
      records.push(record);
      if (report !== undefined) await addToReport(report, record);
      tell(record);
    }
  } finally {
    await world.end();
  }
  console.log(`\n${summarise(records)}\n`);
  const failed = records.filter(({ violations }) => violations.length > 0);
  console.log(`${String(records.length)} rounds, ${String(failed.length)} with violations`);
  const same = `${options.short ? ' --short' : ''} --stores ${options.stores.join(',')}`;
  const scenarios = options.scenarios.join(',');
  for (const { round } of failed)
    console.log(`  --seed ${String(seed)} --round ${String(round)}${same} --scenarios '${scenarios}'`);
  return failed.length === 0 && records.length > 0 && lost.length === 0 ? 0 : 1;
}

async function* rounds(
  world: World,
  options: TortureOptions,
  { done, signal }: { readonly done: readonly RoundRecord[]; readonly signal: AbortSignal }
): AsyncGenerator<RoundRecord> {
  const { from, rounds: end, minutes, stores } = options;
  const begun = performance.now();
  const first = from ?? Math.max(-1, ...done.map(({ round }) => round)) + 1;
  for (let round = first; round < end; round++) {
    // Each store has its turn, however slow the machine is.
    const late = round >= first + stores.length && performance.now() - begun > minutes * 60_000;
    if (signal.aborted || late) return;
    yield await playRound(world, makePlan({ ...options, round }));
  }
}

function printPlans(options: TortureOptions): void {
  const { from = 0, rounds: end } = options;
  for (let round = from; round < end; round++) console.log(JSON.stringify(makePlan({ ...options, round })));
}

/** A line for a round; all of its choices where something was found. */
function tell(record: RoundRecord): void {
  const { seed, round, store, scenario, ms, kills, stops, terms, servers, checks, violations, plan, log } = record;
  console.log(
    `${String(seed)}/${String(round)} ${store}, ${scenario}: ${violations.length === 0 ? 'good' : 'BAD'}, ` +
      `${(ms / 1000).toFixed(1)} s, ${String(kills + terms + servers)} kills, ${String(stops)} stops, ` +
      `${String(checks)} checks, ${JSON.stringify(record.endings)}`
  );
  for (const { kind, detail, time } of violations) console.log(`    ${kind}${time ? ` (${time})` : ''}: ${detail}`);
  if (plan !== undefined) console.log(`    plan: ${JSON.stringify(plan)}`);
  for (const line of log ?? []) console.log(`    ${line}`);
}
