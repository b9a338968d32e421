/** How the command line ends when something goes wrong: a code, a line, an exit status. */
import { CommanderError } from 'commander';

import { SklarError, type SklarErrorCode, onOneLine } from '../../errors';

/**
 * Exit statuses of `sklar`. A command that a signal ended has 128 + its number, as shells do: 130 for Ctrl-C.
 */
export const exitStatus = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  data: 3,
  file: 4,
  device: 5,
  diverged: 6,
  interrupted: 130,
} as const;

/** Wrong use of the command line itself, such as an option that does not exist, has a code of its own. */
export type FailureCode = SklarErrorCode | 'ERR_SKLAR_USAGE';

export interface Failure {
  readonly code: FailureCode;
  readonly message: string;
  readonly status: number;
}

const STATUS: Readonly<Record<FailureCode, number>> = {
  ERR_SKLAR_USAGE: exitStatus.usage,
  ERR_SKLAR_VALUE: exitStatus.data,
  ERR_SKLAR_SHAPE: exitStatus.data,
  ERR_SKLAR_FILE: exitStatus.file,
  ERR_SKLAR_FORMAT: exitStatus.file,
  ERR_SKLAR_DEVICE: exitStatus.device,
  ERR_SKLAR_MEMORY: exitStatus.device,
  ERR_SKLAR_DIVERGED: exitStatus.diverged,
  ERR_SKLAR_ABORTED: exitStatus.interrupted,
  ERR_SKLAR_DISPOSED: exitStatus.unexpected,
  ERR_SKLAR_INTERNAL: exitStatus.unexpected,
};

/** Options in a message by the names that they have here. */
export function asOptions(message: string): string {
  return message
    .replace(
      /\bfor (columns|exclude|header|delimiter|decimal|types|encoding|null|split|weights|private|method|logarithmic|returns|device|precision|steps)(?=, got\b|, not\b|: [A-Z])/g,
      'for --$1',
    )
    .replace(
      /\bwith (header|delimiter|decimal|types|encoding|null|split): (true|false|"(?:[^"\\]|\\.)*"|\["(?:[^"\\]|\\.)*"(?:,"(?:[^"\\]|\\.)*")*\])/g,
      (_, name: string, json: string) => {
        const value: unknown = JSON.parse(json);
        if (value === false) return `with --no-${name}`;
        return `with --${name}${value === true ? '' : ` ${shellList([value as string | string[]].flat())}`}`;
      },
    )
    .replace(
      /\bwith exclude: \[((?:"(?:[^"\\]|\\.)*"(?:, )?)*)(?:(?:, )?(and \d+ more))?\]/g,
      (_, list: string, more?: string) =>
        `with --exclude ${shellList(JSON.parse(`[${list.replace(/, $/, '')}]`) as string[])}` +
        (more ? ` (${more})` : ''),
    );
}

/** Names as one argument of a shell, between commas. */
function shellList(names: readonly string[]): string {
  const text = names
    .map((name) => (/[",]|^\s|\s$/.test(name) ? `"${name.replaceAll('"', '""')}"` : name))
    .join(',');
  return /^[\w.,:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** What to tell the user about anything that was thrown. */
export function describeFailure(error: unknown, signal: AbortSignal | undefined): Failure {
  const failure = (code: FailureCode, message: string): Failure => ({
    code,
    message: onOneLine(asOptions(message.replace(/\s*\n\s*/g, ' ').trim())),
    status: STATUS[code],
  });
  if (signal?.aborted) {
    const told = error instanceof SklarError && error.code === 'ERR_SKLAR_ABORTED';
    return failure('ERR_SKLAR_ABORTED', told ? error.message : 'interrupted; no file was written');
  }
  if (error instanceof SklarError) return failure(error.code, error.message);
  if (error instanceof CommanderError) {
    return failure('ERR_SKLAR_USAGE', error.message.replace(/^error: /, ''));
  }
  const text = String(error);
  if (/^RangeError: (?:Array buffer allocation failed|Invalid typed array length)/.test(text)) {
    return failure('ERR_SKLAR_MEMORY', `not enough memory (${text})`);
  }
  return failure('ERR_SKLAR_INTERNAL', `unexpected: ${text}; this is a fault of sklar, please report it`);
}
