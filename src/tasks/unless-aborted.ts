/**
 * What a promise comes to, or the reason of an abort where that is first. The promise goes on, and its failure is nobody's
 * then.
 */
export function unlessAborted<T>(
  promise: Promise<T>,
  { signal }: { readonly signal?: AbortSignal | undefined }
): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the reason of an abort is its caller's
      reject(signal.reason);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}
