import cliProgress from 'cli-progress';

import { onOneLine } from '../../errors';
import { formatDuration } from '../../report/charts/text';
import type { Io } from './context';

export interface Progress {
  /** @param done how much of the total; @param details what else to show */
  update(done: number, details: string): void;
  /** Writes a line at once, above the bar. */
  tell(line: string): void;
  /** Removes the bar. Call it whatever happens. */
  stop(): void;
}

/** Least time between two lines where there is no terminal. */
const LINE_MILLISECONDS = 5000;

/**
 * A bar on stderr when that is a terminal; a line now and then when it is not and the user asked for it; else nothing.
 */
export function startProgress(io: Io, title: string, total: number, verbose: boolean | undefined): Progress {
  const what = onOneLine(title);
  const tell = (line: string) => void io.stderr.write(`${onOneLine(line)}\n`);
  if (io.stderr.isTTY) {
    const bar = new cliProgress.SingleBar(
      {
        stream: io.stderr,
        format: `${what} {bar} {percentage}%  {details}`,
        barsize: 12,
        hideCursor: true,
        clearOnComplete: true,
        // Ctrl-C is ours to handle.
        gracefulExit: false,
      },
      cliProgress.Presets.shades_classic,
    );
    bar.start(total, 0, { details: '' });
    return {
      update: (done, details) => bar.update(done, { details }),
      tell(line) {
        io.stderr.write('\r\u001b[K'); // what the bar has drawn; it draws itself again below
        tell(line);
      },
      stop: () => bar.stop(),
    };
  }
  if (!verbose) return { update: () => undefined, tell, stop: () => undefined };
  let next = 0;
  return {
    update(done, details) {
      if (Date.now() < next && done < total) return;
      next = Date.now() + LINE_MILLISECONDS;
      io.stderr.write(`${what} ${Math.floor((100 * done) / total)}%  ${details}\n`);
    },
    tell,
    stop: () => undefined,
  };
}

/** Calls `report` with rows done, and shows rows a second and the time left. */
export function rowProgress(progress: Progress, rows: number): (rowsDone: number) => void {
  const start = performance.now();
  return (rowsDone) => {
    const seconds = (performance.now() - start) / 1000;
    const rate = rowsDone / seconds;
    progress.update(rowsDone, `${formatDuration((rows - rowsDone) / rate)} left  ${formatRate(rate)}`);
  };
}

export function formatRate(rowsPerSecond: number): string {
  const rate = rowsPerSecond.toLocaleString('en-US', { notation: 'compact', maximumSignificantDigits: 3 });
  return `${rate} rows/s`;
}
