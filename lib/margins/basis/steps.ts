import { nextTurn } from '../../data/column-jobs';

/** Work in steps of some milliseconds each. */
export type Steps<T> = Generator<void, T, void>;

/** Does all steps at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Lets the event loop go round between the steps; rejects with the signal's reason when it has been aborted. */
export async function finishInTurns<T>(steps: Steps<T>, signal: AbortSignal | undefined): Promise<T> {
  for (;;) {
    await nextTurn(signal);
    const { done, value } = steps.next();
    if (done) return value;
  }
}
