/** Rare values of a table, which a private model is to hold none of: docs/mathematics.md, N.6. */
import { labelsOf } from '../columns/column-type';
import { Table, freshName } from '../table';
import { type Note, columnsNote } from '../../notes';

/** The label of rare ones. */
const OTHER = 'other';

/** A table whose labels have so many rows each, at least. */
export interface PooledTable {
  readonly table: Table;
  /** By column the label that stands for rare ones, and for those that the rows do not have. */
  readonly others: ReadonlyMap<string, string>;
  readonly notes: readonly Note[];
}

/**
 * Labels of categories in fewer rows become one, of which there are so many at least. A column of one value and of others in fewer rows, such
 * as a flag that is hardly ever set, has that value alone.
 */
export function poolRare(table: Table, least: number): PooledTable {
  const others = new Map<string, string>();
  const notes: Note[] = [];
  const types = [...table.types];
  const columns = table.columns.map((values, j) => {
    const name = table.names[j]!;
    const type = table.types[j]!;
    if (type.type === 'id') return values;
    const counts = new Map<number, number>();
    for (const value of values) if (!Number.isNaN(value)) counts.set(value, (counts.get(value) ?? 0) + 1);
    const byCount = [...counts].sort((a, b) => a[1] - b[1] || a[0] - b[0]);
    const [common, most] = byCount.at(-1) ?? [NaN, 0];
    const rest = byCount.slice(0, -1).reduce((rows, [, count]) => rows + count, 0);
    if (rest > 0 && rest < least && most >= least) {
      notes.push(
        columnsNote(
          'privacy',
          [name],
          `all values but one are in fewer than ${least} rows, and were left out`,
        ),
      );
      return values.map((value) => (Number.isNaN(value) ? NaN : common));
    }
    const labels = type.type === 'category' ? labelsOf(type) : null;
    if (!labels || (counts.size === labels.length && byCount[0]![1] >= least)) return values;
    const rare = new Set<number>();
    let rows = 0;
    for (const [value, count] of byCount) {
      if (count >= least && (rows === 0 || rows >= least)) break;
      rare.add(value);
      rows += count;
    }
    const kept = Array.from(labels.keys()).filter((k) => counts.has(k) && !rare.has(k));
    const names = kept.map((k) => labels[k]!);
    const other = freshName(OTHER, (one) => names.includes(one));
    types[j] = { type: 'category', labels: rare.size > 0 ? [...names, other] : names };
    if (rare.size > 0) {
      others.set(name, other);
      const text = `${rare.size} labels of few rows, together ${rows}, are one, ${JSON.stringify(other)}`;
      notes.push(columnsNote('privacy', [name], text));
    }
    const position = new Map(kept.map((k, i) => [k, i]));
    return values.map((value) => (Number.isNaN(value) ? NaN : (position.get(value) ?? kept.length)));
  });
  return { table: new Table(table.names, columns, types), others, notes };
}
