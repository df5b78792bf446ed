import { expect, test } from 'vitest';
import { isDumbTerminal, wantsColours } from '../../src/config/terminal.js';

test.each([
  ['a terminal', true, {}, true],
  ['a pipe', false, {}, false],
  ['a terminal with NO_COLOR', true, { NO_COLOR: '1' }, false],
  ['a terminal with an empty NO_COLOR', true, { NO_COLOR: '' }, true],
  ['a pipe with FORCE_COLOR', false, { FORCE_COLOR: '1' }, true],
  ['a terminal with FORCE_COLOR=0', true, { FORCE_COLOR: '0' }, false],
  ['a pipe with CLICOLOR_FORCE', false, { CLICOLOR_FORCE: '1' }, true],
  ['a pipe with CLICOLOR_FORCE=0', false, { CLICOLOR_FORCE: '0' }, false],
  ['both', true, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
  ['a dumb terminal', true, { TERM: 'dumb' }, false],
])('colours for %s', (_case, isTerminal, environment, expected) => {
  expect(wantsColours(isTerminal, environment)).toBe(expected);
});

test('a dumb terminal is known by its name', () => {
  expect([isDumbTerminal({ TERM: 'dumb' }), isDumbTerminal({ TERM: 'xterm' }), isDumbTerminal({})]).toEqual([
    true,
    false,
    false,
  ]);
});
