import type { Command } from 'commander';

import { type ColumnInspection, type TableInspection, inspectTable } from '../../joint/inspect';
import type { Note } from '../../notes';
import { noteLines, textLines } from '../../report/charts/text';
import { type Io, signalOf, writeResult } from '../terminal/context';
import { startProgress } from '../terminal/progress';
import {
  type ReadingFlags,
  MORE_FILES,
  addReadingOptions,
  addWeightsOption,
  readWeighted,
} from '../terminal/reading';
import { BETWEEN_COMMAS, names } from '../terminal/values';
import { toDigits } from '../../notes';

interface Flags extends ReadingFlags {
  columns?: string[];
  exclude?: string[];
  json?: boolean;
  verbose?: boolean;
}

export function define(command: Command, io: Io): void {
  addWeightsOption(addReadingOptions(command))
    .argument('<data...>', `the table: ${MORE_FILES}`)
    .option('--columns <names>', `columns to look at, ${BETWEEN_COMMAS} (default: all)`, names)
    .option('--exclude <names>', `columns to leave out, ${BETWEEN_COMMAS}`, names)
    .option('--json', 'print everything as JSON')
    .option('--verbose', 'print progress also where stderr is no terminal')
    .action((data: string[], flags: Flags) => inspect(data, flags, io));
}

async function inspect(data: string[], flags: Flags, io: Io): Promise<void> {
  const signal = signalOf(io);
  const notes: Note[] = [];
  const { columns, exclude } = flags;
  const { table, weights } = await readWeighted(data, flags, notes, {
    ...(columns && { columns }),
    ...(exclude && { exclude }),
    signal,
  });
  const bar = startProgress(io, 'inspect', 1, flags.verbose);
  const found = await inspectTable(table, {
    signal,
    ...(weights && { weights: weights.each }),
    onProgress: (fraction) => bar.update(fraction, ''),
  }).finally(() => bar.stop());
  const result = { ...found, notes: [...notes, ...found.notes] };
  writeResult(io, flags.json, result, () => [...inspectionLines(found), ...noteLines(result.notes)]);
}

const HEADS = ['column', 'type', 'missing', 'distinct', 'range', 'recurring', 'margin'];

/** The same for people. */
function inspectionLines({ rows, columns, complete }: TableInspection): string[] {
  const cells = [HEADS, ...columns.map((column) => cellsOf(column, rows))];
  return [
    `${rows} rows of ${columns.length} columns, ${complete === rows ? 'no cell missing' : `${complete} rows without a missing cell`}`,
    ...textLines({ cells, words: [0, 1, 4, 5, 6] }),
  ];
}

function cellsOf(column: ColumnInspection, rows: number): string[] {
  const { name, type, role, why, missing, distinct, range, frequent, margin } = column;
  const format =
    type.type === 'date' || type.type === 'time' || type.type === 'timestamp' ? ` ${type.format}` : '';
  const shown = frequent
    .slice(0, 3)
    .map(({ value, share }) => `${value} ${Number((100 * share).toPrecision(2))} %`);
  const [least, most] = margin?.support ?? [null, null];
  const numeric = type.type === 'number' || type.type === 'integer';
  const ends =
    numeric && (least !== null || most !== null) ? ` from ${end(least, '-inf')} to ${end(most, 'inf')}` : '';
  return [
    name,
    `${role === 'modelled' ? '' : `${role}, `}${type.type}${format}`,
    missing === 0 ? '' : `${Number(((100 * missing) / rows).toPrecision(2))} %`,
    String(distinct),
    range ? (range[0] === range[1] ? range[0] : `${range[0]} .. ${range[1]}`) : '',
    shown.join(', '),
    why ?? (margin ? margin.type + ends : ''),
  ];
}

const end = (value: number | null, open: string) => (value === null ? open : String(toDigits(value, 6)));
