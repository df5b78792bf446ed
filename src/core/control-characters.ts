/**
 * Text of others as it may stand in a line of ours. Whoever made a model or a log chose it: escape sequences would reach
 * terminals, a line break would forge a line, and characters that turn the direction would show another text.
 */
export function oneLine(text: string): string {
  return text
    .replaceAll(COLOUR, '')
    .replaceAll(/[\t\n\v\f\r]+/g, ' ')
    .replaceAll(CONTROL, '\ufffd');
}

/** Text that may have several lines, without any other control character. */
export function withoutControls(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replaceAll(CONTROL, (found) => (found === '\n' || found === '\t' ? found : '\ufffd'));
}

const COLOUR = /\p{Cc}\[[0-9;]*m/gu;
// C0, delete and C1; what turns the direction of text; what breaks lines in some programs.
const CONTROL = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;
