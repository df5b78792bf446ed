import { explore } from './explore.js';
import { folderLike } from './folder-like.js';
import { s3Like } from './s3-like.js';
import { makeSameEveryTime } from './same-every-time.js';
import { scenarios } from './scenarios.js';

makeSameEveryTime();
const kinds = [s3Like({ conditional: true }), s3Like({ conditional: false }), folderLike({ conditional: true }), folderLike({ conditional: false })];
const only = process.argv[2] ?? '';
const onlyKind = process.argv[3];
for (const scenario of scenarios) {
  if (!scenario.name.includes(only)) continue;
  for (const kind of kinds) {
    const sw = process.env.EXPLORE_SWITCHES; if (sw !== undefined) (scenario.bounds as {switches:number}).switches = Number(sw);
    if (onlyKind !== undefined && kind.name !== onlyKind) continue;
    const outcome = await explore(scenario, kind, { seconds: Number(process.env.EXPLORE_SECONDS ?? 10), states: 3_000_000, stopAtFirst: false });
    const { violations, ...rest } = outcome;
    console.log(JSON.stringify(rest));
    for (const [sort, { count, schedule }] of Object.entries(violations)) {
      console.log(`  ${sort}: ${count}\n    ${process.env.EXPLORE_TRACE === undefined ? schedule.at(-1) : schedule.join('\n    ')}`);
    }
  }
}
