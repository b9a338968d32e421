/** What every command gets: where to write, and when to stop. */
import type { Writable } from 'node:stream';

import { SklarError, onOneLine } from '../../errors';

export interface Io {
  readonly stdout: Pick<Writable, 'write'>;
  /** Progress is drawn here when it is a terminal. */
  readonly stderr: Writable & { readonly isTTY?: boolean };
  /** Aborting it is Ctrl-C: the command stops and leaves no half-written file. */
  readonly signal?: AbortSignal;
}

/** A signal that never aborts, so that nobody needs to ask whether there is one. */
const NEVER = new AbortController().signal;

export function signalOf(io: Io): AbortSignal {
  return io.signal ?? NEVER;
}

/**
 * Throws for a number of a result that is none: NaN, or infinity other than the log density of what is impossible and the time of
 * pure noise.
 *
 * @throws SklarError ERR_SKLAR_DIVERGED naming the key
 */
function expectNumbers(value: unknown, key: string): void {
  if (typeof value === 'number') {
    if (Number.isFinite(value) || value === -Infinity || key === 'referenceTime') return;
    throw new SklarError('ERR_SKLAR_DIVERGED', `${key} is ${value}: the model leaves the finite numbers`);
  }
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  for (const [name, part] of Object.entries(value)) expectNumbers(part, name);
}

/** A JSON document on a line; in its texts, too, nothing is left that a terminal obeys. */
export function jsonLine(document: unknown): string {
  return `${onOneLine(JSON.stringify(document))}\n`;
}

/** Writes a result: one JSON document, or lines for people. */
export function writeResult(
  io: Io,
  json: boolean | undefined,
  document: unknown,
  lines: () => string[],
): void {
  expectNumbers(document, 'the result');
  io.stdout.write(json ? jsonLine(document) : `${lines().map(onOneLine).join('\n')}\n`);
}
