import { z } from 'zod';

import {
  type ColumnRunOptions,
  columnRunOptions,
  finiteRows,
  knownValues,
  nextTurn,
  rowBlocks,
} from '../data/column-jobs';
import { LevelColumns, type Ties } from '../data/level-columns';
import { PseudoObservations } from '../data/pseudo-observations';
import { type Seed, resolveSeed } from '../data/random';
import { TableSchema } from '../data/schema/table-schema';
import { type CellWeights, releaseSorted, sortedColumns } from '../data/sorted-table';
import { type Endings, endingsSchema, endingsText, findEndings, withEnding } from '../data/columns/endings';
import {
  censoredNumbers,
  type ColumnType,
  columnTypeSchema,
  kindOf,
  labelsOf,
  typeOf,
} from '../data/columns/column-type';
import type { Matrix } from '../matrix';
import { Table, listNames } from '../data/table';
import { expectThreads } from '../devices';
import { type OptionNames, SklarError, describe, expectOneOf, expectOptions } from '../errors';
import { type ColumnHandle, callNative, release, runJob } from '../native';
import { type Note, columnsNote, groupNotes, noteSchema } from '../notes';
import {
  type MarginSpec,
  type MarginType,
  type ResolvedOptions,
  fitSorted,
  marginFromState,
  parseMarginState,
  resolveMarginSpec,
} from './fit';
import type { Margin, MarginState, MarginSupport } from './basis/margin';
import { type SortedColumn, effectiveSize, expectLearnable, massOf, sizeOf } from './basis/sorted';
import { finishInTurns } from './basis/steps';
import { DiscreteMargin } from './types/discrete';
import { RoundedMargin } from './types/rounded';
import { type Weights, weightedTable } from '../data/weights';
import { tell } from '../tell';

/**
 * The margins of all columns: one type for all, of which columns that cannot have it are `auto` with a note, or what each column
 * gets, by name; `auto` for those not named.
 */
export type MarginsSpec = MarginType | Readonly<Record<string, MarginSpec>>;

/** How the margins of a table are learned. */
export interface MarginsOptions {
  /** Default `auto`. */
  readonly margins?: MarginsSpec;
  /** Where F jumps: a random level of the jump (`random`, default), or its middle (`average`). */
  readonly ties?: Ties;
  /** Seed of the random levels, default 0. */
  readonly seed?: Seed;
  /** Of the rows, in any unit, none negative and not all 0 (docs/mathematics.md, N.5). Default: all count alike. */
  readonly weights?: Weights | undefined;
}

const fitOptions: OptionNames<MarginsOptions & ColumnRunOptions> = {
  ...columnRunOptions,
  margins: true,
  ties: true,
  seed: true,
  weights: true,
};

const metaSchema = z.object({
  type: z.literal('margins'),
  ties: z.enum(['random', 'average']),
  /** The seed as decimal digits. */
  seed: z
    .string()
    .regex(/^\d{1,20}$/)
    .transform(BigInt)
    .refine((seed) => seed < 1n << 64n),
  rows: z.int().min(1),
  columns: z
    .array(
      z.object({
        name: z.string(),
        kind: z.enum(['float', 'integer']),
        /** Absent: what the kind alone says. */
        cells: columnTypeSchema.optional(),
        margin: z.unknown(),
        endings: endingsSchema.optional(),
      }),
    )
    .min(1),
  notes: z.array(noteSchema).default([]),
  schema: z.unknown().optional(),
});

/** What takes the columns of a model to the copula scale and back. */
export type TableMargins = Margins | PseudoObservations;

interface Column {
  readonly name: string;
  readonly cells: ColumnType;
  readonly margin: Margin;
  /** The last digits that its numbers have. */
  readonly endings?: Endings | undefined;
}

/**
 * The margins of the columns of a table: x to pseudo-observations u = F(x) and back, and log densities.
 *
 * Where F jumps, u is random in the jump (the distributional transform of Ruschendorf, by seed, column and row) or its
 * middle, as `ties` says. A value outside the support of its margin, or at an end without probability, gets 0.5 / (n + 1) or
 * (n + 0.5) / (n + 1), n the number of training rows. Columns of kind `integer` come back as the nearest integers.
 *
 * @example
 * ```ts
 * import { GaussianCopula, Margins, Table } from 'sklar';
 *
 * const table = Table.fromMatrix(await new GaussianCopula(Float64Array.of(1, 0.7, 0.7, 1), 2).sample(200));
 * const margins = await Margins.fit(table, { margins: { column1: 'beta' } });
 * margins.types; // => ['beta', 'kde']
 * const u = await margins.transform(table); // 200 x 2
 * (await margins.inverse(u)).names; // => ['column1', 'column2']
 * ```
 */
export class Margins extends LevelColumns {
  /** The number of training rows. */
  readonly rows: number;
  readonly #columns: readonly Column[];
  /** The table that they are of: its columns beside these, and how they are made again. */
  readonly schema: TableSchema;
  /** What was decided when they were fitted; see `groupNotes`. */
  readonly notes: readonly Note[];

  private constructor(
    rows: number,
    ties: Ties,
    seed: bigint,
    columns: readonly Column[],
    notes: readonly Note[],
    schema?: TableSchema,
  ) {
    super(columns, ties, seed);
    this.rows = rows;
    this.#columns = columns;
    this.schema =
      schema ??
      TableSchema.plain(
        this.names,
        columns.map(({ cells }) => cells),
      );
    this.notes = notes;
  }

  /**
   * Learns the margins of training rows.
   *
   * @throws SklarError ERR_SKLAR_VALUE naming the column, see `fitMargin`; for margins of columns that do not exist; naming the row
   *   of a weight that is none
   */
  static async fit(rows: Table, options: MarginsOptions & ColumnRunOptions = {}): Promise<Margins> {
    options = expectOptions(options, 'Margins.fit', fitOptions);
    const { weights: given, ...rest } = options;
    const { table, weights } = weightedTable(Table.settled(rows, 'Margins.fit'), given);
    for (const [j, { type }] of expectMarginsSpec(options.margins ?? 'auto', table.names).entries()) {
      const known = knownValues(table.columns[j]!);
      expectLearnable(known, table.names[j]!, type);
      release(known);
      await nextTurn(options.signal);
    }
    return Margins.fitColumns(table, rest, { weights });
  }

  /**
   * The same, of columns that are known to vary.
   *
   * @param known of the rows, which all count, their weights, and the schema whose modelled columns they are
   * @internal
   */
  static async fitColumns(
    table: Table,
    options: Omit<MarginsOptions, 'weights'> & ColumnRunOptions = {},
    { weights = null, schema }: { weights?: CellWeights; schema?: TableSchema | undefined } = {},
  ): Promise<Margins> {
    options = expectOptions(options, 'Margins.fitColumns', fitOptions);
    const { threads, signal, onProgress } = options;
    const ties = expectOneOf<Ties>(options.ties ?? 'random', 'ties', ['random', 'average']);
    const seed = resolveSeed(options.seed ?? 0);
    const specs = specsOf(options.margins ?? 'auto', table);
    const columns: Column[] = [];
    for await (const { j, values } of sortedColumns(table, null, weights, { threads, signal })) {
      const name = table.names[j]!;
      const cells = table.types[j]!;
      const margin = await finishInTurns(fitSorted({ column: name, ...values }, specs[j]!), signal);
      const endings = endingsOf(cells, { column: name, ...values }, margin);
      if (endings)
        margin.notes = [...margin.notes, columnsNote('rounding', [name], endingsText(cells, endings))];
      releaseSorted(values);
      columns.push({ name, cells, margin, ...(endings && { endings }) });
      tell(onProgress, (j + 1) / table.names.length);
    }
    const notes = groupNotes(columns.flatMap(({ margin }) => margin.notes));
    return new Margins(table.rows, ties, seed, columns, notes, schema);
  }

  /** @internal The same margins, with notes before their own. */
  after(notes: readonly Note[]): Margins {
    return new Margins(
      this.rows,
      this.ties,
      this.seed,
      this.#columns,
      [...notes, ...this.notes],
      this.schema,
    );
  }

  /** The margin of a column, by name or number (from 0). */
  margin(column: string | number): Margin {
    const found = this.#columns[typeof column === 'number' ? column : this.names.indexOf(column)];
    if (found) return found.margin;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected one of the columns ${listNames(this.names)}, got ${describe(column)}`,
    );
  }

  /** The type of each margin. */
  get types(): readonly string[] {
    return this.#columns.map(({ margin }) => margin.name);
  }

  /** Whether some values of some column have positive probability. */
  get hasAtoms(): boolean {
    return this.#columns.some(({ margin }) => margin.hasAtoms);
  }

  /** The support of each margin. */
  get supports(): readonly MarginSupport[] {
    return this.#columns.map(({ margin }) => margin.support);
  }

  /**
   * The sum of the log densities of the margins of each row, in nats; see `Margin.logPdf`. -Infinity where one value is
   * impossible; missing values are left out.
   *
   * @param options.atoms false leaves out values of positive probability; default true
   * @throws SklarError ERR_SKLAR_VALUE for missing columns and infinite values
   */
  async logPdf(
    table: Table,
    options: { readonly atoms?: boolean } & ColumnRunOptions = {},
  ): Promise<Float64Array> {
    options = expectOptions(options, 'Margins.logPdf', { ...columnRunOptions, atoms: 'boolean' });
    const { atoms = true, ...run } = options;
    const threads = expectThreads(run.threads);
    const selected = this.own(table, 'Margins.logPdf');
    const margins = this.#columns.map(({ margin }) => margin.handle);
    const sum = new Float64Array(table.rows);
    for (const [from, to] of rowBlocks(table.rows, margins.length)) {
      const x = finiteRows(selected, from, to);
      const block = await runJob((addon) => addon.columnLogPdf(margins, x, atoms, threads), {
        signal: run.signal,
      });
      sum.set(block, from);
      tell(run.onProgress, to / table.rows);
    }
    return sum;
  }

  /**
   * Cells of rows that were drawn, on the Gaussian scale: quantiles, which have the last digits of the data where those stand out.
   *
   * @internal
   */
  async drawn(z: Matrix, run: ColumnRunOptions): Promise<Table> {
    const table = await this.inverse(z, { ...run, scale: 'gaussian' });
    const columns = table.columns.map((values, j) => {
      const { endings, margin } = this.#columns[j]!;
      if (!endings) return values;
      const isAtom = areAtoms(margin, values);
      return values.map((value, i) =>
        isAtom(i) ? value : withEnding(endings, value, z.data[i * z.columns + j]!, margin.support),
      );
    });
    return new Table(table.names, columns, table.types);
  }

  /** @internal What a model file needs: JSON, and tensors of Float64 named by column number. */
  toTensors(): { meta: Readonly<Record<string, unknown>>; tensors: Record<string, Float64Array> } {
    const tensors: Record<string, Float64Array> = {};
    const collect = (state: MarginState, prefix: string): void => {
      for (const [key, data] of Object.entries(state.arrays)) tensors[prefix + key] = data;
      for (const [part, inner] of Object.entries(state.parts)) collect(inner, `${prefix}${part}.`);
    };
    const columns = this.#columns.map(({ name, cells, margin, endings }, j) => {
      const state = margin.state();
      collect(state, `${j}.`);
      return {
        name,
        kind: kindOf(cells),
        cells,
        margin: withoutArrays(state),
        ...(endings && { endings }),
      };
    });
    const seed = String(this.seed);
    return {
      meta: {
        type: 'margins',
        ties: this.ties,
        seed,
        rows: this.rows,
        columns,
        notes: this.notes,
        schema: this.schema.toJSON(),
      },
      tensors,
    };
  }

  /**
   * The inverse of `toTensors`.
   *
   * @param meta checked here, so it may come straight from a file
   * @throws SklarError ERR_SKLAR_FORMAT when the parts do not fit together
   * @internal
   */
  static fromTensors(meta: unknown, tensors: Readonly<Record<string, Float64Array>>): Margins {
    const parsed = metaSchema.safeParse(meta);
    if (!parsed.success) {
      throw new SklarError('ERR_SKLAR_FORMAT', `expected a description of margins, got ${describe(meta)}`, {
        cause: parsed.error,
      });
    }
    const { ties, seed, rows, notes } = parsed.data;
    const schema = parsed.data.schema === undefined ? undefined : TableSchema.fromJSON(parsed.data.schema);
    const columns = parsed.data.columns.map(({ name, kind, cells, margin, endings }, j): Column => {
      const state = withArrays(parseMarginState(margin), tensors, `${j}.`);
      return { name, cells: cells ?? typeOf(kind), margin: marginFromState(state), endings };
    });
    const names = columns.map(({ name }) => name);
    if (schema && schema.modelledNames.join('\n') !== names.join('\n')) {
      throw new SklarError('ERR_SKLAR_FORMAT', 'expected a margin for each modelled column of the schema');
    }
    return new Margins(rows, ties, seed, columns, notes, schema);
  }

  /** @internal */
  protected override makeHandles(): readonly ColumnHandle[] {
    return this.#columns.map(({ margin, cells }) =>
      callNative((addon) => addon.marginColumn(margin.handle, this.rows, kindOf(cells) === 'integer')),
    );
  }
}

/** Which values have a probability of their own; of measurements that were rounded, before that. */
function areAtoms(margin: Margin, values: Float64Array): (i: number) => boolean {
  const of = margin instanceof RoundedMargin ? margin.of : margin;
  if (!of.hasAtoms) return () => false;
  const [before, upTo] = [of.cdfBefore(values), of.cdf(values)];
  return (i) => upTo[i]! > before[i]!;
}

/** The last digits that stand out among the values of a column, where its margin does not have these values alone. */
function endingsOf(type: ColumnType, column: SortedColumn, margin: Margin): Endings | null {
  if (margin instanceof DiscreteMargin) return null;
  const isAtom = areAtoms(margin, column.values);
  const kept = Array.from(column.values.keys()).filter((k) => !isAtom(k));
  const share = effectiveSize(column) / sizeOf(column);
  const found = findEndings(
    type,
    Float64Array.from(kept, (k) => column.values[k]!),
    Float64Array.from(kept, (k) => share * massOf(column, k)),
  );
  // the grid of a rounded margin is told by one remainder
  return margin instanceof RoundedMargin && found?.remainders.length === 1 && found.shares[0] === 1
    ? null
    : found;
}

/**
 * The margins of a model file, of either kind.
 *
 * @throws SklarError ERR_SKLAR_FORMAT when the parts do not fit together
 */
export function marginsFromTensors(
  meta: Readonly<Record<string, unknown>>,
  tensors: Readonly<Record<string, Float64Array>>,
): TableMargins {
  return 'type' in meta ? Margins.fromTensors(meta, tensors) : PseudoObservations.fromTensors(meta, tensors);
}

function withoutArrays(state: MarginState): unknown {
  const ends = state.support.map((end) => (Number.isFinite(end) ? end : null));
  const parts = Object.entries(state.parts).map(([part, inner]) => [part, withoutArrays(inner)] as const);
  return { ...state, support: ends, arrays: {}, parts: Object.fromEntries(parts) };
}

/** The state with the tensors whose names begin with the prefix, and go on without a dot. */
function withArrays(
  state: MarginState,
  tensors: Readonly<Record<string, Float64Array>>,
  prefix: string,
): MarginState {
  const own = Object.entries(tensors).filter(
    ([name]) => name.startsWith(prefix) && !name.includes('.', prefix.length),
  );
  const parts = Object.entries(state.parts).map(
    ([part, inner]) => [part, withArrays(inner, tensors, `${prefix}${part}.`)] as const,
  );
  const arrays = Object.fromEntries(own.map(([name, data]) => [name.slice(prefix.length), data]));
  return { ...state, arrays, parts: Object.fromEntries(parts) };
}

/** What a column gets of a type that is asked for all of them. */
export function forAll(type: MarginType): MarginSpec {
  return { type, otherwise: 'auto' };
}

/**
 * What each column gets.
 *
 * @throws SklarError ERR_SKLAR_VALUE for columns that do not exist and specs that are none
 */
export function expectMarginsSpec(spec: MarginsSpec, names: readonly string[]): ResolvedOptions[] {
  const resolved = new Map<string, MarginSpec>();
  if (typeof spec === 'object' && spec !== null) {
    const unknown = Object.keys(spec).filter((name) => !names.includes(name));
    if (unknown.length > 0) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected names of existing columns for margins, got ${listNames(unknown)} (available: ${listNames(names, 50)})`,
      );
    }
    for (const [name, one] of Object.entries(spec)) resolved.set(name, one);
  }
  return names.map((name) => {
    const one = typeof spec === 'object' && spec !== null ? (resolved.get(name) ?? 'auto') : forAll(spec);
    return resolveMarginSpec(one, name);
  });
}

/** What each column of a table gets: positions of labels are discrete where nothing else is asked of the column. */
function specsOf(spec: MarginsSpec, table: Table): ResolvedOptions[] {
  return expectMarginsSpec(spec, table.names).map((given, j) => {
    const named = typeof spec === 'object' && Object.hasOwn(spec, table.names[j]!);
    const type = table.types[j]!;
    const marks = censoredNumbers(type);
    const resolved = marks.length > 0 ? { ...given, marks } : given;
    if (labelsOf(type) && !named) return resolveMarginSpec('discrete', table.names[j]!);
    // 0 is the first of January 1970, and no end
    const isDate = type.type === 'date' || type.type === 'timestamp';
    return isDate && resolved.type === 'auto' && !resolved.support
      ? { ...resolved, support: [-Infinity, Infinity] }
      : resolved;
  });
}
