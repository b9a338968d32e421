import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
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
 * was not seen before are changed further, so that one gets past check after check; they stay in a folder, and the next run begins
 * with them.
 *
 * @throws Error with the input of a fault, which is written to a file
 */
export async function fuzz<T>(
  target: Target<T>,
  seconds: number,
  seed: number,
  folder: string,
  faults: string,
): Promise<Outcome> {
  const mutator = new Mutator(seed);
  for (const input of target.corpus) await target.run(input);
  const earlier = read<T>(folder);
  const kept = [...target.corpus];
  const answers = new Set<string>();
  const end = performance.now() + 1000 * seconds;
  let [executions, accepted] = [0, 0];
  while (performance.now() < end) {
    const known = earlier.pop();
    const input = known ?? target.mutate(mutator, mutator.pick(kept), mutator.pick(kept));
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
    if (!answers.has(answer) && kept.length < MOST_KEPT) {
      kept.push(input);
      if (known === undefined) keep(input, path.join(folder, `${seed}-${executions}`));
    }
    answers.add(answer);
    // other work has its turn: timeouts of the test, for one
    if (executions % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return { executions, accepted, answers: answers.size };
}

/** What earlier runs kept. */
function read<T>(folder: string): T[] {
  mkdirSync(folder, { recursive: true });
  return readdirSync(folder).map((name) => {
    const bytes = readFileSync(path.join(folder, name));
    return (name.endsWith('.json') ? JSON.parse(bytes.toString()) : bytes) as T;
  });
}

function fault(input: unknown, error: unknown, file: string): Error {
  keep(input, file);
  return new Error(`a fault, by the input in ${file}: ${String(error)}`, { cause: error });
}

function keep(input: unknown, file: string): void {
  if (input instanceof Uint8Array) writeFileSync(file, input);
  else writeFileSync(`${file}.json`, JSON.stringify(input));
}
