import { log } from '@temporalio/activity';

/** What the log of a worker says of a step: in words, and as values under names that never change. */
export interface Told {
  readonly message: string;
  readonly fields?: Readonly<Record<string, string | number | boolean>>;
}

/** What is said of a step: where it may take hours at its start too. Failures are told by whoever runs the activity. */
export interface Telling<T> {
  readonly start?: Told;
  /** Undefined where there is nothing to say. */
  readonly end: (result: T, durationMs: number) => Told | undefined;
}

/** Runs a step and tells the log of the worker. */
export async function told<T>({ start, end }: Telling<T>, work: () => Promise<T>): Promise<T> {
  if (start !== undefined) log.info(start.message, start.fields);
  const begun = performance.now();
  const result = await work();
  const durationMs = Math.round(performance.now() - begun);
  const said = end(result, durationMs);
  if (said !== undefined) log.info(said.message, { ...said.fields, durationMs });
  return result;
}
