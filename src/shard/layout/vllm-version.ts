/** A release of vLLM as numbers, or undefined for text that is no release. */
export function parseVllmVersion(text: string): readonly [number, number, number] | undefined {
  const match = /^(\d{1,4})\.(\d{1,4})\.(\d{1,4})$/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

/** Below zero when `a` is the older release. */
export function compareVllmVersions(a: string, b: string): number {
  const left = parseVllmVersion(a) ?? [0, 0, 0];
  const right = parseVllmVersion(b) ?? [0, 0, 0];
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}

/** Releases that write the same files: from one measured release to another, both included. */
export interface VersionRange {
  readonly from: string;
  readonly to: string;
}

/** Whether a release lies in a range; a commit that was measured is named by itself. */
export function isInRange(version: string, { from, to }: VersionRange): boolean {
  if (parseVllmVersion(version) === undefined || parseVllmVersion(from) === undefined) return version === from;
  return compareVllmVersions(version, from) >= 0 && compareVllmVersions(version, to) <= 0;
}

/** `0.14.0 to 0.23.0`, or the one release that it is. */
export function describeRange({ from, to }: VersionRange): string {
  return from === to ? from : `${from} to ${to}`;
}
