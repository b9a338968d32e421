/** How the kind of a model was chosen in words, for the command line and for pages. */
import type { SelectedCandidate, Selection } from '../copulas/selection';
import { type TextTable, formatDuration } from './charts/text';

/** A kind with its options: "clayton, rotation 90". */
export function candidateName({ kind, ...options }: SelectedCandidate['candidate']): string {
  const own = Object.entries(options).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return [kind, ...own].join(', ');
}

const OUTCOMES: Readonly<Record<SelectedCandidate['outcome'], string>> = {
  chosen: 'chosen',
  judged: '',
  dropped: 'dropped after some folds',
  failed: 'failed',
  'no time': 'no time left',
};

const withError = (value: number, error: number | null) =>
  value.toFixed(4) + (error === null ? '' : ` +- ${error.toFixed(4)}`);

export interface SelectionWords {
  readonly title: string;
  readonly table: TextTable;
  /** Why a simpler kind than the best was chosen; null: the best was. */
  readonly tie: string | null;
  readonly failed: readonly string[];
}

export function selectionWords({ by, rows, folds, errors, seconds, candidates }: Selection): SelectionWords {
  const judges =
    by === 'validation' ? `${rows} rows that none of them learned from` : `${rows} rows, in ${folds} folds`;
  const chosen = candidates.find(({ outcome }) => outcome === 'chosen');
  return {
    title: `tried ${candidates.length} kinds in ${formatDuration(seconds)}, judged by ${judges}${
      errors === 'blocks' ? ' (errors by blocks)' : ''
    }: nats a row, and how far behind the best`,
    table: {
      words: [0, 4],
      cells: [
        ['kind', 'mean log density', 'behind', 'time', ''],
        ...candidates.map(({ candidate, outcome, meanLogPdf, standardError, behind, seconds: own }) => [
          candidateName(candidate),
          meanLogPdf === null ? '' : withError(meanLogPdf, standardError),
          behind === null || behind.mean === 0 ? '' : withError(behind.mean, behind.standardError),
          own < 0.05 ? '' : formatDuration(own),
          OUTCOMES[outcome],
        ]),
      ],
    },
    tie:
      chosen?.behind && chosen.behind.mean > 0
        ? `${candidateName(chosen.candidate)} is the simplest that is within one standard error of the best`
        : null,
    failed: candidates.flatMap(({ candidate, error }) =>
      error === null ? [] : [`without ${candidateName(candidate)}: ${error}`],
    ),
  };
}
