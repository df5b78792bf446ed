type Environment = Readonly<Record<string, string | undefined>>;

/** Whether a terminal can do nothing but show lines, as that of an editor. */
export function isDumbTerminal(environment: Environment = process.env): boolean {
  return environment['TERM'] === 'dumb';
}

/** Whether to write in colours: as NO_COLOR, FORCE_COLOR and CLICOLOR_FORCE say, in this order, and else to a terminal. */
export function wantsColours(isTerminal: boolean, environment: Environment = process.env): boolean {
  const { NO_COLOR: no, FORCE_COLOR: force, CLICOLOR_FORCE: also } = environment;
  if (no !== undefined && no !== '') return false;
  if (force !== undefined) return force !== '0' && force !== 'false';
  if (also !== undefined && also !== '' && also !== '0') return true;
  return isTerminal && !isDumbTerminal(environment);
}
