import { describe, expect, test } from 'vitest';
import type { Outcome } from './explore.js';
import { runExploration } from './run-exploration.js';
import { takenOutFixes } from './taken-out-fixes.js';

const FORM = process.env['EXPLORE'] === 'long' ? 'long' : 'short';
const LIMIT_MS = FORM === 'long' ? 6 * 3_600_000 : 300_000;

describe('the protocol, in all interleavings within the bounds', () => {
  test(
    'keeps what a manifest names right at every moment, withdraws no good manifest, and ends published and clean',
    { timeout: LIMIT_MS },
    async () => {
      const shares = await Promise.all(
        ['1/2', '2/2'].map((share) => runExploration(['--form', FORM, '--share', share]))
      );
      const outcomes = shares.flat();
      console.log(table(outcomes));
      expect(outcomes.filter(({ complete }) => !complete)).toEqual([]);
      expect(outcomes.flatMap(violationsOf)).toEqual([]);
    }
  );

  test.each(takenOutFixes)(
    'shows what happens without a fix: $fault',
    { timeout: LIMIT_MS },
    async ({ patches, scenario, store, finds }) => {
      const options = ['--scenario', scenario, '--store', store, ...finds.flatMap((sort) => ['--until', sort])];
      const outcomes = await runExploration(options, patches);
      const found = outcomes.flatMap(({ violations }) => Object.keys(violations));
      expect(found.filter((sort) => finds.includes(sort))).not.toEqual([]);
    }
  );
});

function violationsOf({ scenario, store, violations }: Outcome): string[] {
  return Object.entries(violations).map(
    ([sort, { count, schedule }]) => `${sort}, ${count} times; ${scenario}; ${store}\n${schedule.join('\n')}`
  );
}

function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ scenario, store, bounds, states, schedules, violations, seconds }) => {
    const { switches, ...rest } = bounds;
    const some = Object.entries(rest).flatMap(([name, count]) => (count === 0 ? [] : [`${name} ${String(count)}`]));
    const limits = [...some, `switches ${switches === undefined ? 'any' : String(switches)}`].join(', ');
    const found = Object.values(violations).reduce((sum, { count }) => sum + count, 0);
    return [scenario, store, limits, states, schedules.toPrecision(3), found, seconds.toFixed(1)].join(' | ');
  });
  return ['scenario | store | bounds | states | schedules | violations | seconds', ...rows].join('\n');
}
