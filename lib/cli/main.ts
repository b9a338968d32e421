#!/usr/bin/env node
/** The command line: which commands there are, and how they end. Each command has a file of its own. */
import os from 'node:os';

import { Command, CommanderError } from 'commander';

import { fileError } from '../data/formats/files';
import { packageVersion } from '../version';
import { type Io, jsonLine } from './terminal/context';
import { describeFailure, exitStatus } from './terminal/failure';

interface CommandFile {
  define(command: Command, io: Io): void;
}

/* eslint-disable @typescript-eslint/no-require-imports -- loaded only when asked for, so that --help is quick */
const commands: Readonly<Record<string, { summary: string; load: () => CommandFile }>> = {
  inspect: {
    summary: 'what the columns of a table are, before anything is fitted',
    load: () => require('./commands/inspect') as typeof import('./commands/inspect'),
  },
  fit: {
    summary: 'learn a copula from a table and judge it by rows kept apart',
    load: () => require('./commands/fit') as typeof import('./commands/fit'),
  },
  score: {
    summary: 'log density of the rows of a table',
    load: () => require('./commands/score') as typeof import('./commands/score'),
  },
  sample: {
    summary: 'draw rows into a table',
    load: () => require('./commands/sample') as typeof import('./commands/sample'),
  },
  probability: {
    summary: 'the probability of an event, rare ones too, with its error',
    load: () => require('./commands/probability') as typeof import('./commands/probability'),
  },
  impute: {
    summary: 'fill in the missing cells of a table by draws given the others',
    load: () => require('./commands/impute') as typeof import('./commands/impute'),
  },
  compare: {
    summary: 'judge sampled rows by held-out ones',
    load: () => require('./commands/compare') as typeof import('./commands/compare'),
  },
  report: {
    summary: 'a page, or a picture, of data beside samples',
    load: () => require('./commands/report') as typeof import('./commands/report'),
  },
  info: {
    summary: 'what a model file holds',
    load: () => require('./commands/info') as typeof import('./commands/info'),
  },
  export: {
    summary: 'the log density of a model, or its network, for other programs',
    load: () => require('./commands/export') as typeof import('./commands/export'),
  },
  devices: {
    summary: 'what this machine can compute on',
    load: () => require('./commands/devices') as typeof import('./commands/devices'),
  },
  build: {
    summary: 'compile the native code, where no prebuilt binary fits this machine',
    load: () => require('./commands/build') as typeof import('./commands/build'),
  },
};
/* eslint-enable @typescript-eslint/no-require-imports */

const EPILOGUE = `
Exit status: 0 success, 1 a fault of sklar, 2 wrong use of the command line, 3 a value or data that cannot be
used, 4 a file that cannot be read or written or is damaged, 5 a device or memory, 6 training or sampling diverged,
130 interrupted. With --json a failure is also printed on stdout, as {"error":{"code":...,"message":...}}.`;

function createProgram(argv: readonly string[], io: Io): Command {
  const program = new Command('sklar');
  program
    .description('Learn, score and sample copulas with diffusions and flows.')
    .version(packageVersion())
    .addHelpText('after', EPILOGUE)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // Errors are printed once, by main.
      outputError: () => undefined,
    });
  for (const [name, { summary, load }] of Object.entries(commands)) {
    const command = program.command(name).summary(summary).description(summary);
    // Only a command that may be meant needs its options.
    if (argv.includes(name)) load().define(command, io);
  }
  return program;
}

/** Runs one command line (without `node sklar`) and returns its exit status; see `exitStatus`. Never throws. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    await createProgram(argv, io).parseAsync([...argv], { from: 'user' });
    return exitStatus.ok;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitStatus.ok;
    // `sklar` alone: the help has been printed, and says more than a message.
    if (error instanceof CommanderError && error.code === 'commander.help') return exitStatus.usage;
    const { code, message, status } = describeFailure(error, io.signal);
    if (argv.includes('--json')) io.stdout.write(jsonLine({ error: { code, message } }));
    io.stderr.write(`error: ${message} [${code}]\n`);
    return status;
  }
}

/** Signals that follow one another within so many milliseconds are one. */
const SAME_SIGNAL = 1000;

async function runProcess(): Promise<void> {
  const controller = new AbortController();
  let ended: NodeJS.Signals | undefined;
  let began = 0;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // A second Ctrl-C ends the process at once, but not one that a wrapper hands on when the terminal has sent it to all.
    const stop = () => {
      if (ended === undefined) {
        [ended, began] = [name, performance.now()];
        controller.abort();
      } else if (performance.now() - began > SAME_SIGNAL) {
        process.off(name, stop);
        process.kill(process.pid, name);
      }
    };
    process.on(name, stop);
  }
  let unprinted: NodeJS.ErrnoException | undefined;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') unprinted ??= error; // the reader of a pipe may leave early, as `head` does
  });
  process.stderr.on('error', () => undefined); // nobody is left to be told
  const status = await main(process.argv.slice(2), {
    stdout: process.stdout,
    stderr: process.stderr,
    signal: controller.signal,
  });
  await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  if (unprinted && status === exitStatus.ok) {
    const { code, message } = fileError(unprinted, 'write', 'stdout');
    process.stderr.write(`error: ${message} [${code}]\n`);
    process.exitCode = exitStatus.file;
    return;
  }
  process.exitCode = status === exitStatus.interrupted && ended ? 128 + os.constants.signals[ended] : status;
}

if (require.main === module) void runProcess();
