/** Missing cells of a table, drawn given the cells that are there. */
import { type RunOptions, beginRun, runOptions } from '../copulas/inputs/run';
import { type ColumnType, labelsOf } from '../data/columns/column-type';
import { type Completion, complete, derivedValues, withWholes } from '../data/schema/completion';
import type { Seed } from '../data/random';
import { Table, expectTable } from '../data/table';
import { type OptionNames, SklarError, expectInteger, expectOptions, expectList } from '../errors';
import type { Copula } from '../copulas/copula';
import type { TableSchema } from '../data/schema/table-schema';
import type { Margins } from '../margins/margins';
import { matrix } from '../matrix';
import { type Note, columnsNote } from '../notes';
import { drawGivenCells } from '../copulas/fitting/cell-draws';
import { expectDrawn } from './impossible';
import { tell } from '../tell';

/** How missing cells are drawn. */
export interface ImputeOptions extends RunOptions {
  /** How many times every missing cell is drawn; default 1, which does not show how uncertain it is. */
  readonly draws?: number | undefined;
  /** Default 1. A row's draws depend on its cells, its number and the seed, not on other rows, threads or batches. */
  readonly seed?: Seed | undefined;
  /** Of each row that needs them, at least 16; default 256, of kinds whose density is an integral along a path (`ode`) 64. */
  readonly particles?: number | undefined;
  /** Told how many of the rows with missing cells are done. */
  readonly onProgress?: ((progress: { rows: number; rowsDone: number }) => void) | undefined;
}

const imputeOptions: OptionNames<ImputeOptions> = {
  ...runOptions,
  draws: true,
  seed: true,
  particles: true,
  onProgress: true,
};

/** What was imputed in a column, and how far the draws are apart. */
export interface ImputedColumn {
  readonly name: string;
  /** Cells that were missing and are not any more. */
  readonly cells: number;
  /** The mean of the column, that of all draws; null for labels. Dates are days, timestamps and times seconds. */
  readonly mean: number | null;
  /** Of that mean, by Rubin's rules; null for labels and of one draw. */
  readonly standardError: number | null;
  /** Standard deviation of the mean between draws. */
  readonly betweenDeviation: number | null;
  /** Rubin's estimate of the fraction of the information about the mean that is missing. */
  readonly missingInformation: number | null;
  /** Root mean square over the imputed cells of the standard deviation between their draws. */
  readonly cellDeviation: number | null;
  /** Of labels the share of pairs of draws that agree, in the mean over the imputed cells; null for numbers and of one draw. */
  readonly agreement: number | null;
}

/** Tables without missing cells where a model can say what they hold, and how they were made. */
export interface Imputation {
  /** One for each draw: the columns of the table in its order, cells that are there as they are. */
  readonly tables: readonly Table[];
  /** Those with imputed cells. */
  readonly columns: readonly ImputedColumn[];
  /** Rows of which cells were drawn. */
  readonly rows: number;
  /** Of each of these rows by particles the least effective number of them: the least, and the median; null: all draws are independent. */
  readonly effectiveSampleSize: { readonly least: number; readonly median: number } | null;
  /** What was decided, and what is still missing. */
  readonly notes: readonly Note[];
}

const PARTICLES = 256;
const PATH_PARTICLES = 64;
/** Fewer effective particles are noted. */
const FEW_EFFECTIVE = 10;

/**
 * Draws the missing cells of a table given those of the same row that are there; see `JointDistribution.impute`.
 *
 * @throws SklarError ERR_SKLAR_VALUE for columns that are not there, options, and copulas without a density
 */
export async function imputeTable(
  copula: Copula,
  margins: Margins,
  table: Table,
  options: ImputeOptions,
): Promise<Imputation> {
  options = expectOptions(options, 'impute', imputeOptions);
  const { schema } = margins;
  table = Table.settled(table, 'impute');
  const path = copula.capabilities.logPdf[0] === 'ode';
  const draws = expectInteger(options.draws ?? 1, 'draws', { min: 1, max: 1000 });
  const particles = expectInteger(options.particles ?? (path ? PATH_PARTICLES : PARTICLES), 'particles', {
    min: 16,
    max: 65_536,
  });
  const { onProgress, seed = 1 } = options;
  const run = beginRun(options, copula.capabilities.cpuOnly);
  const completion = complete(schema, table, schema.modelled(table));
  const { modelled } = completion;
  const rows = incompleteRows(modelled);
  const some = modelled.take(rows);
  const { given, ignored } = await givenCells(margins, some, run);
  const drawn = await drawGivenCells(
    copula,
    { ...given, rows: rows.length },
    {
      draws,
      particles,
      seed,
      numbers: rows,
      onRows: (done) => tell(onProgress, { rows: rows.length, rowsDone: done }),
      constrained: (place) => completion.constrained(rows[place]!),
      allowed: (z, places) => allowedRows(margins, completion, some, rows, z, places, run.threads),
    },
    run,
  );
  const failed = new Set(drawn.failed);
  const completed: Table[] = [];
  for (const z of drawn.draws) {
    const { threads, signal } = run;
    const values = await margins.drawn(matrix(z, rows.length, copula.dim), { threads, signal });
    completed.push(withWholes(schema, table, filled(modelled, expectDrawn(values), rows, failed)));
  }
  const tables = completed.map((one) => finished(schema, table, one));
  const columns = table.names.flatMap((name) => {
    const summary = summaryOf(name, table, tables);
    return summary.cells === 0 ? [] : [summary];
  });
  const effective = drawn.effective.filter(Number.isFinite).sort();
  return {
    tables,
    columns,
    rows: rows.length,
    effectiveSampleSize:
      effective.length === 0
        ? null
        : { least: effective[0]!, median: effective[Math.floor(effective.length / 2)]! },
    notes: [
      ...ignored,
      ...leftNotes(schema, table, tables[0]!),
      ...completionNotes(completion),
      ...drawNotes(failed.size, rows.length, effective, particles),
    ],
  };
}

/**
 * The tables of an imputation as one, one below the other, with the number of the draw, from 1, in a first column `imputation` (`imputation2`,
 * .. where the table has such a column).
 *
 * @example
 * ```ts
 * import { FamilyCopula, Table, fitJoint, stackImputations } from 'sklar';
 *
 * const data = await new FamilyCopula('frank', { theta: 5 }).sample(100, { dtype: 'float64' });
 * data.data[0] = NaN;
 * const table = Table.fromMatrix(data);
 * const joint = await fitJoint(table, { copula: { kind: 'frank' } });
 * const { tables } = await joint.impute(table, { draws: 3 });
 * stackImputations(tables).rows; // => 300
 * ```
 */
export function stackImputations(tables: readonly Table[]): Table {
  const [first] = expectList(tables, 'stackImputations');
  for (const table of tables) {
    expectTable(table, 'stackImputations');
    const isLike = table.rows === first!.rows && table.names.join('\n') === first!.names.join('\n');
    if (isLike) continue;
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      'expected tables of the same rows and columns to stack, got others',
    );
  }
  if (!first) throw new SklarError('ERR_SKLAR_VALUE', 'expected the tables of an imputation, got none');
  const numbered = tables.map((table, draw) => withNumber(table, draw));
  const [head] = numbered;
  return new Table(
    head!.names,
    head!.names.map((_, j) => {
      const values = new Float64Array(tables.length * first.rows);
      numbered.forEach((table, draw) => values.set(table.columns[j]!, draw * first.rows));
      return values;
    }),
    head!.types,
  );
}

/** A table of an imputation with the number of the draw, counted from 0, as its first column, counted from 1. */
export function withNumber(table: Table, draw: number): Table {
  let name = 'imputation';
  for (let k = 2; table.names.includes(name); k++) name = `imputation${k}`;
  return new Table(
    [name, ...table.names],
    [new Float64Array(table.rows).fill(draw + 1), ...table.columns],
    [{ type: 'integer' }, ...table.types],
  );
}

function incompleteRows({ columns, rows }: Table): number[] {
  const holes = columns.filter((values) => values.some(Number.isNaN));
  return Array.from({ length: rows }, (_, i) => i).filter((i) =>
    holes.some((values) => Number.isNaN(values[i])),
  );
}

/** The cells of rows, and what is said of those that no margin has: nothing is drawn given labels that are new. */
async function givenCells(
  margins: Margins,
  table: Table,
  { threads, signal }: { threads: number; signal: AbortSignal | undefined },
): Promise<{ given: { lower: Float64Array; upper: Float64Array }; ignored: Note[] }> {
  const { lower, upper } = await margins.cells(table, { threads, signal });
  const ignored = new Set<string>();
  let count = 0;
  table.columns.forEach((values, j) => {
    const labels = labelsOf(margins.columnTypes[j]!)?.length ?? Infinity;
    for (let i = 0, at = j; i < table.rows; i++, at += table.columns.length) {
      const isLevel = lower.data[at] === upper.data[at];
      if (!(values[i]! >= labels) && !(isLevel && !Number.isFinite(lower.data[at]))) continue;
      [lower.data[at], upper.data[at]] = [-Infinity, Infinity];
      ignored.add(table.names[j]!);
      count++;
    }
  });
  const text =
    count === 1
      ? '1 cell holds what the model has not seen: nothing was drawn given it'
      : `${count} cells hold what the model has not seen: nothing was drawn given them`;
  return {
    given: { lower: lower.data, upper: upper.data },
    ignored: count > 0 ? [columnsNote('missing', [...ignored], text)] : [],
  };
}

/** Which drawn rows keep what is asked of the rows of the table that they are for. */
async function allowedRows(
  margins: Margins,
  completion: Completion,
  some: Table,
  numbers: readonly number[],
  z: Float64Array,
  places: Uint32Array,
  threads: number,
): Promise<Uint8Array> {
  const drawn = await margins.drawn(matrix(z, places.length, some.columns.length), { threads });
  const columns = drawn.columns.map((values, j) => {
    const known = some.columns[j]!;
    return values.map((value, i) => (Number.isNaN(known[places[i]!]) ? value : known[places[i]!]!));
  });
  const made = new Table(some.names, columns);
  return Uint8Array.from(places, (place, i) => Number(completion.allowed(made, i, numbers[place]!)));
}

/** The modelled columns with drawn cells where some are missing. */
function filled(modelled: Table, drawn: Table, rows: readonly number[], failed: ReadonlySet<number>): Table {
  const columns = modelled.columns.map((values, j) => {
    const own = values.slice();
    rows.forEach((row, k) => {
      if (Number.isNaN(own[row]) && !failed.has(k)) own[row] = drawn.columns[j]![k]!;
    });
    return own;
  });
  return new Table(modelled.names, columns, modelled.types);
}

/** The table with the cells of a complete row where its own are missing. */
function finished(schema: TableSchema, table: Table, completed: Table): Table {
  const made = table.names.map((name, j): { values: Float64Array; type: ColumnType } => {
    const [values, type] = [table.columns[j]!, table.types[j]!];
    const full = completed.names.includes(name)
      ? completed.column(name)
      : derivedValues(schema, completed, name);
    if (!full || !values.some((value, i) => Number.isNaN(value) && !Number.isNaN(full[i]))) {
      return { values, type };
    }
    const here = schema.asHere(table, [name]);
    return {
      values: here.columns[0]!.map((value, i) => (Number.isNaN(value) ? full[i]! : value)),
      type: values.every(Number.isNaN) ? here.types[0]! : typeWith(type, here.types[0]!),
    };
  });
  return new Table(
    table.names,
    made.map(({ values }) => values),
    made.map(({ type }) => type),
  );
}

/** The type that cells of the table and those of the model both have. */
function typeWith(own: ColumnType, here: ColumnType): ColumnType {
  if (labelsOf(here)) return here;
  const numeric = ({ type }: ColumnType) => type === 'number' || type === 'integer';
  if (!numeric(own) || !numeric(here)) return own.type === here.type ? own : here;
  if (own.type === 'integer' && here.type === 'integer') return own;
  const places = [own, here].map((type) => (type.type === 'number' ? type.decimals : 0));
  const decimals = places.includes(undefined) ? undefined : Math.max(...(places as number[]));
  const style = own.type === 'number' || own.type === 'integer' ? own.style : undefined;
  const censored = 'censored' in here ? here.censored : undefined;
  return {
    type: 'number',
    ...(decimals !== undefined && { decimals }),
    ...(style && { style }),
    ...(censored && { censored }),
  };
}

function summaryOf(name: string, table: Table, tables: readonly Table[]): ImputedColumn {
  const before = table.column(name);
  const after = tables.map((one) => one.column(name));
  const cells = Array.from(before.keys()).filter(
    (i) => Number.isNaN(before[i]) && !Number.isNaN(after[0]![i]),
  );
  const [none, draws] = [{ mean: null, standardError: null, betweenDeviation: null }, tables.length];
  const rest = { missingInformation: null, cellDeviation: null, agreement: null };
  if (cells.length === 0) return { name, cells: 0, ...none, ...rest };
  if (labelsOf(tables[0]!.type(name))) {
    let agree = 0;
    for (const i of cells) {
      for (let a = 0; a < draws; a++)
        for (let b = 0; b < a; b++) agree += Number(after[a]![i] === after[b]![i]);
    }
    const pairs = (cells.length * draws * (draws - 1)) / 2;
    return { name, cells: cells.length, ...none, ...rest, agreement: draws > 1 ? agree / pairs : null };
  }
  const unit = unitOf(after);
  const moments = after.map((values) =>
    momentsOf(values.filter((value) => !Number.isNaN(value)).map((value) => value / unit)),
  );
  const means = momentsOf(Float64Array.from(moments, ({ mean }) => mean));
  if (draws === 1) return { name, cells: cells.length, ...none, ...rest, mean: unit * means.mean };
  const within = moments.reduce((sum, { variance, count }) => sum + variance / count, 0) / draws;
  const [between, more] = [means.variance, 1 + 1 / draws];
  const ratio = (more * between) / within;
  const degrees = (draws - 1) * (1 + 1 / ratio) ** 2;
  const spread = cells.reduce(
    (sum, i) => sum + momentsOf(Float64Array.from(after, (values) => values[i]! / unit)).variance,
    0,
  );
  return {
    name,
    cells: cells.length,
    mean: unit * means.mean,
    standardError: unit * Math.sqrt(within + more * between),
    betweenDeviation: unit * Math.sqrt(between),
    missingInformation:
      ratio === 0 || !(within > 0)
        ? Number(within === 0 && between > 0)
        : (ratio + 2 / (degrees + 3)) / (ratio + 1),
    cellDeviation: unit * Math.sqrt(spread / cells.length),
    agreement: null,
  };
}

/** A power of two in which sums of squares of the values are finite; 1 where they are so as they stand. */
function unitOf(columns: readonly Float64Array[]): number {
  let largest = 0;
  for (const values of columns) {
    for (const value of values) if (Math.abs(value) > largest) largest = Math.abs(value);
  }
  return largest < 2 ** 400 ? 1 : 2 ** (Math.floor(Math.log2(largest)) - 400);
}

function momentsOf(values: Float64Array): { mean: number; variance: number; count: number } {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, variance: squares / Math.max(1, count - 1), count };
}

/** What is still missing, and why. */
function leftNotes(schema: TableSchema, before: Table, after: Table): Note[] {
  const left = before.names.filter((name) => after.column(name).some(Number.isNaN));
  const role = new Map(schema.columns.map((column) => [column.name, column.role]));
  const ids = left.filter((name) => role.get(name) === 'id');
  const others = left.filter((name) => !role.has(name));
  return [
    ...(ids.length > 0
      ? [columnsNote('missing', ids, 'names rows, which nothing tells: its missing cells stay missing')]
      : []),
    ...(others.length > 0
      ? [columnsNote('missing', others, 'the model does not have it: its missing cells stay missing')]
      : []),
  ];
}

function completionNotes({ unsolved }: Completion): Note[] {
  if (unsolved.length === 0) return [];
  const text =
    'a function of several columns of which more than one is missing in some row: drawn cells need not add up to it there';
  return [columnsNote('missing', unsolved, text)];
}

function drawNotes(failed: number, rows: number, effective: Float64Array, particles: number): Note[] {
  const notes: Note[] = [];
  const say = (message: string) => notes.push({ code: 'missing', columns: [], message });
  if (failed > 0) {
    say(
      `of ${failed} of ${rows} rows no draw keeps the rules of the data, or has a density given their cells: they stay as they are`,
    );
  }
  const few = effective.filter((value) => value < FEW_EFFECTIVE).length;
  if (few > 0) {
    say(
      `of ${few} of ${rows} rows fewer than ${FEW_EFFECTIVE} of ${particles} particles are effective: their draws are near to each other and not quite those of the model (more particles help)`,
    );
  }
  return notes;
}
