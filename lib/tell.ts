import process from 'node:process';

/** What promises that callbacks returned were rejected with, until it is thrown. */
const failures = new WeakMap<object, { readonly error: unknown }>();

/**
 * Calls a callback of the user's, if there is one. Nobody waits for a promise that it returns; where that is rejected, a warning
 * of the process says so, and the next call throws the error in place of calling, which ends the work as an exception of the
 * callback does.
 *
 * @throws what the callback throws, or what a promise of an earlier call was rejected with
 */
export function tell<T>(callback: ((about: T) => unknown) | null | undefined, about: T): void {
  if (!callback) return;
  const failure = failures.get(callback);
  if (failure) {
    failures.delete(callback);
    throw failure.error;
  }
  const returned = callback(about);
  if (!isThenable(returned)) return;
  returned.then(undefined, (error: unknown) => {
    failures.set(callback, { error });
    process.emitWarning(`a callback returned a promise that was rejected: ${String(error)}`, {
      code: 'SKLAR_CALLBACK',
    });
  });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
