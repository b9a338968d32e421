/** What each column of a table is to a model, in words. */
import { cellText } from '../data/columns/column-type';
import { formulaText } from '../data/schema/formula';
import { differenceText } from '../data/schema/differences';
import type { TableSchema } from '../data/schema/table-schema';
import type { Table } from '../data/table';
import { Margins, type TableMargins } from '../margins/margins';
import type { ShareNumbers } from './charts/margins';

/** A column of the table, or one that a model has in place of a date or beside missing cells. */
export interface ColumnNumbers {
  readonly name: string;
  /** What its cells are: a name of `ColumnType`. */
  readonly holds: string;
  /** Of those that are not modelled, what is done with them. */
  readonly role: 'modelled' | 'constant' | 'id' | 'derived';
  /** The role in words; of modelled ones nothing. */
  readonly how: string;
  /** The type of the margin; null: it has none. */
  readonly margin: string | null;
  /** Shares of rows without a cell; null: not looked at. */
  readonly missing: ShareNumbers | null;
}

type SchemaColumn = TableSchema['columns'][number];

function howOf(column: SchemaColumn, columns: readonly SchemaColumn[]): string {
  switch (column.role) {
    case 'constant':
      return column.value === null
        ? 'no cell holds anything'
        : `always ${cellText(column.type, column.value)}, put back in samples`;
    case 'id':
      return 'names rows, made anew in samples';
    case 'derived':
      return `${formulaText(column.formula, columns)}, computed again in samples`;
    default:
      return '';
  }
}

const missingShare = (values: Float64Array) =>
  values.length === 0 ? 0 : values.filter(Number.isNaN).length / values.length;

/** @param data the modelled columns @param samples the same of the sample */
export function columnNumbers(margins: TableMargins, data: Table, samples: Table): ColumnNumbers[] {
  const schema = margins instanceof Margins ? margins.schema : null;
  const modelled = (name: string, how = ''): ColumnNumbers => ({
    name,
    holds: margins.columnTypes[margins.names.indexOf(name)]!.type,
    role: 'modelled',
    how,
    margin: margins instanceof Margins ? margins.margin(name).name : 'ranks',
    missing: data.names.includes(name)
      ? { data: missingShare(data.column(name)), model: missingShare(samples.column(name)) }
      : null,
  });
  if (!schema) return margins.names.map((name) => modelled(name));
  const own = schema.columns.map((column): ColumnNumbers => {
    const { name, type, role } = column;
    if (role === 'modelled') return modelled(name);
    return { name, holds: type.type, role, how: howOf(column, schema.columns), margin: null, missing: null };
  });
  const beside = [
    ...schema.differences.map((one) => modelled(one.name, `${differenceText(one)}, modelled in its place`)),
    ...schema.cycles.flatMap(({ of, parts }) =>
      parts.map(({ name }) => modelled(name, `a part of "${of}", modelled in its place`)),
    ),
    ...schema.indicators
      .filter(({ formula }) => formula === null)
      .map(({ name }) => modelled(name, 'whether cells are missing, modelled beside them')),
  ];
  return [...own, ...beside];
}
