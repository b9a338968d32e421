import { type ColumnType, cellText, labelsOf } from '../data/columns/column-type';
import { type ColumnRunOptions, columnRunOptions, completeRowsOf, varies } from '../data/column-jobs';
import { type ColumnRole, TableSchema, whyText } from '../data/schema/table-schema';
import { formulaText } from '../data/schema/formula';
import { Table } from '../data/table';
import { type RowWeights, type Weights, weightedTable, weightsNote } from '../data/weights';
import { SklarError, expectOptions } from '../errors';
import { Margins } from '../margins/margins';
import { kendall } from '../metrics/dependence';
import { type Note, columnsNote } from '../notes';

/** What there is to say of a column before anything is fitted to it. */
export interface ColumnInspection {
  readonly name: string;
  readonly type: ColumnType;
  /** What a model would do with it. */
  readonly role: ColumnRole['role'];
  /** Of a column that is not modelled, in words. */
  readonly why: string | null;
  /** Cells that are missing. */
  readonly missing: number;
  /** Different values. */
  readonly distinct: number;
  /** The least and the greatest value, or the first and the last label in the order that they have; null: no cell is there. */
  readonly range: readonly [string, string] | null;
  /** The most frequent values that recur in at least 1 % of the cells, at most five, and their share of the cells that are there. */
  readonly frequent: readonly { readonly value: string; readonly share: number }[];
  /** The margin that `auto` gives it, and the ends of its support, null where it is open; null: no margin. */
  readonly margin: {
    readonly type: string;
    readonly support: readonly [number | null, number | null];
  } | null;
}

/** What there is to say of a table before anything is fitted to it. */
export interface TableInspection {
  readonly rows: number;
  readonly columns: readonly ColumnInspection[];
  /** Rows without a missing cell. */
  readonly complete: number;
  /** What was decided about the columns, and columns that are nearly functions of each other. */
  readonly notes: readonly Note[];
}

/** How a table is looked at. */
export interface InspectOptions extends ColumnRunOptions {
  /** Of the rows, in any unit, none negative and not all 0: shares and margins are weighted. Default: all count alike. */
  readonly weights?: Weights | undefined;
}

const MOST_FREQUENT = 5;
const FREQUENT = 0.01;
/** Kendall's tau of columns that are nearly functions of each other, looked for in so many rows and columns. */
const NEARLY = 0.98;
const LOOK_ROWS = 5000;
const LOOK_COLUMNS = 200;

/**
 * Looks at the columns of a table as `fitJoint` would: what their cells are, which are modelled, which are set aside and why,
 * what is missing, what recurs, and which margin each would get.
 *
 * @throws SklarError the signal's reason when aborted
 *
 * @example
 * ```ts
 * import { Table, inspectTable } from 'sklar';
 *
 * const price = Array.from({ length: 50 }, (_, i) => ((7 * i) % 50) / 4);
 * const { columns } = await inspectTable(Table.fromColumns({ price, double: price.map((x) => 2 * x) }));
 * columns[0]!.margin?.type; // => 'kde'
 * columns[1]!.why; // => '= 2 x "price"'
 * ```
 */
export async function inspectTable(rows: Table, options: InspectOptions = {}): Promise<TableInspection> {
  options = expectOptions(options, 'inspectTable', { ...columnRunOptions, weights: true });
  const { weights: given, ...run } = options;
  const { table, weights } = weightedTable(Table.settled(rows, 'inspectTable'), given);
  const schema = TableSchema.infer(table);
  const modelled = schema.modelled(table);
  const margins = await marginsOf(modelled);
  const columns = schema.columns.map((column): ColumnInspection => {
    const { name, type } = column;
    const values = modelled.names.includes(name) ? modelled.column(name) : table.column(name);
    // ids keep no labels in a schema
    const own = modelled.names.includes(name) ? modelled.type(name) : table.type(name);
    const known = values.filter((value) => !Number.isNaN(value)).length;
    const margin = column.role === 'modelled' ? margins?.margin(name) : undefined;
    return {
      name,
      type: type.type === 'id' ? { type: 'id' } : type,
      role: column.role,
      why:
        column.role === 'derived'
          ? formulaText(column.formula, schema.columns)
          : column.role === 'constant'
            ? 'the same in all rows'
            : column.role === 'id'
              ? `names rows${whyText(column.why)}`
              : null,
      missing: values.length - known,
      ...spread(values, own, weights),
      margin: margin ? { type: margin.name, support: margin.toJSON().support } : null,
    };
  });
  const complete = completeRowsOf(table.columns, table.rows).length;
  const notes = [
    ...(weights ? [weightsNote(weights)] : []),
    ...schema.notes,
    ...(margins?.notes ?? []),
    ...(await nearCopies(modelled, run)),
  ];
  return { rows: table.rows, columns, complete, notes };

  function marginsOf(of: Table) {
    if (of.names.length === 0) return null;
    return Margins.fit(of, { ...run, ...(weights && { weights: weights.each }) }).catch((error: unknown) => {
      // a column that cannot have a margin is what a fit tells of
      if (error instanceof SklarError && error.code === 'ERR_SKLAR_VALUE') return null;
      throw error;
    });
  }
}

function spread(
  values: Float64Array,
  type: ColumnType,
  weights: RowWeights | null,
): Pick<ColumnInspection, 'distinct' | 'range' | 'frequent'> {
  const known = Uint32Array.from(values.keys()).filter((row) => !Number.isNaN(values[row]));
  known.sort((a, b) => values[a]! - values[b]!);
  const counts: { value: number; rows: number; weight: number }[] = [];
  let size = 0;
  for (const row of known) {
    const value = values[row]! + 0;
    const weight = weights ? weights.each[row]! : 1;
    if (counts.at(-1)?.value !== value) counts.push({ value, rows: 0, weight: 0 });
    const last = counts.at(-1)!;
    last.rows++;
    last.weight += weight;
    size += weight;
  }
  const text = (value: number) => cellText(type, value);
  const frequent = counts.filter(({ rows, weight }) => rows > 1 && weight >= FREQUENT * size);
  frequent.sort((a, b) => b.weight - a.weight);
  return {
    distinct: counts.length,
    range:
      counts.length === 0 || type.type === 'id' ? null : [text(counts[0]!.value), text(counts.at(-1)!.value)],
    frequent: frequent
      .slice(0, MOST_FREQUENT)
      .map(({ value, weight }) => ({ value: text(value), share: weight / size })),
  };
}

/** Pairs of columns of numbers that are nearly increasing or decreasing functions of each other. */
async function nearCopies(table: Table, { threads, signal }: ColumnRunOptions): Promise<Note[]> {
  const measured = table.names.filter((name) => labelsOf(table.type(name)) === null).slice(0, LOOK_COLUMNS);
  const step = Math.ceil(table.rows / LOOK_ROWS);
  const rows = Array.from({ length: Math.floor(table.rows / step) }, (_, k) => k * step).filter((i) =>
    measured.every((name) => !Number.isNaN(table.column(name)[i])),
  );
  if (rows.length < 8) return [];
  // where other cells are there, a column may have one value
  const looked = table.select(measured).take(rows);
  const names = measured.filter((name) => varies(looked.column(name)));
  if (names.length < 2) return [];
  const tau = await kendall(looked.select(names), { threads, signal });
  return names.flatMap((name, j) =>
    names.slice(0, j).flatMap((other, i) => {
      const value = tau.data[i * names.length + j]!;
      if (!(Math.abs(value) >= NEARLY)) return [];
      const how = value > 0 ? 'increasing' : 'decreasing';
      const text = `nearly an ${how} function of ${JSON.stringify(other)} (Kendall's tau ${value.toFixed(3)})`;
      return [columnsNote('determined', [name], text.replace('an decreasing', 'a decreasing'))];
    }),
  );
}
