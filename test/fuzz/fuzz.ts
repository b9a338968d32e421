import { writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

import { SklarError } from '../../lib';
import { Mutator } from './mutate';

/** What takes hostile input. */
export interface Target<T> {
  /** Inputs that are right. */
  readonly corpus: readonly T[];
  mutate(mutator: Mutator, input: T, other: T): T;
  /** @throws SklarError for what it refuses; anything else is a fault */
  run(input: T): unknown;
}

export interface Outcome {
  readonly executions: number;
  /** Of them, what was taken for right. */
  readonly accepted: number;
  /** Different answers: inputs that gave a new one are changed further. */
  readonly answers: number;
}

/** Inputs that are kept at most. */
const MOST_KEPT = 2000;
/** No input may take longer, in seconds. */
const LONGEST = 20;

/**
 * Gives a target inputs that are nearly right for so many seconds. Inputs whose answer (the message without its numbers and names)
 * was not seen before are changed further, so that one gets past check after check.
 *
 * @throws Error with the input of a fault, which is written to a file
 */
export async function fuzz<T>(
  target: Target<T>,
  seconds: number,
  seed: number,
  faults: string,
): Promise<Outcome> {
  const mutator = new Mutator(seed);
  const kept = [...target.corpus];
  const answers = new Set<string>();
  const end = performance.now() + 1000 * seconds;
  let [executions, accepted] = [0, 0];
  for (const input of kept) await target.run(input);
  while (performance.now() < end) {
    const input = target.mutate(mutator, mutator.pick(kept), mutator.pick(kept));
    // what hangs or ends the process is there to be read
    keep(input, `${faults}-running`);
    const began = performance.now();
    let answer = 'accepted';
    try {
      await target.run(input);
      accepted++;
    } catch (error) {
      if (!(error instanceof SklarError)) throw fault(input, error, faults);
      answer = `${error.code} ${error.message.replace(/"(?:[^"\\]|\\.)*"|'[^']*'|[-\d.e+]+/g, '_').slice(0, 120)}`;
    }
    const took = (performance.now() - began) / 1000;
    if (took > LONGEST) throw fault(input, new Error(`took ${took.toFixed(1)} s`), faults);
    executions++;
    if (!answers.has(answer) && kept.length < MOST_KEPT) kept.push(input);
    answers.add(answer);
    // other work has its turn: timeouts of the test, for one
    if (executions % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return { executions, accepted, answers: answers.size };
}

function fault(input: unknown, error: unknown, file: string): Error {
  keep(input, file);
  return new Error(`a fault, by the input in ${file}: ${String(error)}`, { cause: error });
}

function keep(input: unknown, file: string): void {
  writeFileSync(file, input instanceof Uint8Array ? input : JSON.stringify(input));
}
