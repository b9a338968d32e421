import { scoresOf } from '../copulas/cells';
import { type ClassicalCopula } from '../copulas/classical/classical';
import {
  type Copula,
  type LogPdfOptions,
  type SampleOptions,
  expectCopula,
  firstRowOf,
  logPdfOptions,
  sampleOptions,
} from '../copulas/copula';
import { GaussianCopula } from '../copulas/classical/gaussian';
import {
  type EventEstimate,
  type EventOf,
  type EventOptions,
  type EventProbability,
  type EventSample,
  eventOptions,
  expectEvent,
  plainProbability,
} from '../copulas/events/event';
import {
  mostDraws,
  needsMore,
  nextDraws,
  rejected,
  sampleEstimate,
  tooRare,
} from '../copulas/events/rejection';
import type { LevelsOf } from '../copulas/events/subset-simulation';
import { type AutoOptions, autoOptions, defaultKind, expectAuto } from '../copulas/fitting/auto';
import { fitCopula } from '../copulas/fitting/fit';
import { FEWEST_ROWS, type FitCopulaOptions, fitOptions } from '../copulas/fitting/prepare';
import { type CopulaKind, type CopulaSpec, copulaKinds, kinds } from '../copulas/fitting/kinds';
import { type LoadOptions, loadModel } from '../copulas/fitting/load';
import { type RowsInput, lend, namesOf, toDense } from '../copulas/inputs/rows';
import { type RunOptions, beginRun } from '../copulas/inputs/run';
import { type ConditionalOptions, conditionalOptions } from '../copulas/fields/smc';
import { type ColumnRunOptions, varies } from '../data/column-jobs';
import { type Matrix, matrix } from '../matrix';
import { type Ties } from '../data/level-columns';
import { PseudoObservations, expectUsable } from '../data/pseudo-observations';
import { type Seed, hashText, hashWords, seedWords } from '../data/random';
import { poolRare } from '../data/schema/pool-rare';
import type { CellWeights } from '../data/sorted-table';
import { type BrokenRule, type MissingRule, TableSchema } from '../data/schema/table-schema';
import type { Cell } from '../data/columns/column-of-values';
import type { ColumnKind } from '../data/columns/column-type';
import { Table } from '../data/table';
import { type RowWeights, type Weights, resolveWeights, weightsColumn, weightsNotes } from '../data/weights';
import { type OptionNames, SklarError, describe, expectInteger, expectOneOf, expectOptions } from '../errors';
import { release } from '../native';
import { type Note, andWords } from '../notes';
import { privateNote, privateTable } from '../margins/private';
import { Margins, type MarginsOptions, type MarginsSpec, expectMarginsSpec } from '../margins/margins';
import { type JointConditionalSample, batchSeed, sampleGivenBlocks } from './block-sample';
import { type RowLevels, type EventRow, levelsOfCondition, levelsOfFunction } from './event';
import { allRowsNote, selectedColumns, weightsForAllRows } from './all-rows';
import { scoreBatches } from './copula-density';
import { type Equivalence, equivalencesOf, leaveBlocks } from './equivalences';
import { type CellRange, conditionOf, describeBlocks, numbersOfCells, withFixed } from './fixed';
import { expectDrawn } from './impossible';
import { narrowBlocksAsLevels } from './narrow-blocks';
import { parseWhere } from './where';
import { type ImputeOptions, type Imputation, imputeTable } from './impute';
import { tell } from '../tell';

/** Rows of an event given single values: all, and at once. */
const GIVEN_DRAWS = 2 ** 16;
const GIVEN_BATCH = 2 ** 14;
/** Values between two sums of `cdf`. */
const CDF_ROWS = 16_384;

/** As of a copula, on the data scale. */
export type JointLogPdfOptions = Omit<LogPdfOptions, 'scale'>;
/** As of a copula, on the data scale. */
export type JointSampleOptions = Omit<SampleOptions, 'scale' | 'dtype'> & {
  /** Leave no cell missing; default false. */
  readonly complete?: boolean | undefined;
  /** Told at the end of what the rows are not: where many broke a rule of the data and were drawn anew. */
  readonly onNote?: ((note: Note) => void) | undefined;
};
/** As of a copula, on the data scale. */
export type JointConditionalOptions = Omit<ConditionalOptions, 'scale' | 'dtype'>;

/** As of a copula, on the data scale. */
export type JointEventOptions = EventOptions;

/** Of rows of modelled columns. */
type DrawOptions = Omit<JointSampleOptions, 'complete' | 'onNote'> & { batch?: number };

const jointLogPdfOptions: OptionNames<JointLogPdfOptions> = without(logPdfOptions, 'scale');
const jointSampleOptions: OptionNames<JointSampleOptions> = {
  ...without(sampleOptions, 'scale', 'dtype'),
  complete: 'boolean',
  onNote: true,
};

/** Rows that are drawn anew are told of from this share on: they move the margins by as much. */
const TOLD_ANEW = 0.02;
const jointConditionalOptions: OptionNames<JointConditionalOptions> = without(
  conditionalOptions,
  'scale',
  'dtype',
);

function without<T extends object, K extends keyof T & string>(options: T, ...left: K[]): Omit<T, K> {
  return Object.fromEntries(Object.entries(options).filter(([key]) => !left.includes(key as K))) as Omit<
    T,
    K
  >;
}

/** A row that breaks a rule is drawn so many times at most. */
const MOST_TURNS = 500;
/** Rows of a turn given cells, where fewer are wanted. */
const MOST_TURN_ROWS = 1024;
/** So many times as many rows cost what one alone does. */
const FEW = 64;

function turnSeed(seed: Seed, turn: number): Seed {
  const [low, high] = seedWords(seed);
  return hashWords(low, high, hashText('rules'), turn);
}

/** @param broken rows that break a rule */
function ruleFailure(schema: TableSchema, broken: Table, rows: number, turns: number): SklarError {
  const { rule, columns, count } = schema.worstRule(broken);
  return new SklarError(
    'ERR_SKLAR_VALUE',
    `expected rows that keep the rules of the data, got ${broken.rows} of ${rows} that break one after ${turns} draws each, ` +
      `${count === broken.rows ? '' : `${count} of them `}that ${rule}: the model has not learned it; ` +
      `fit without ${columns.map(describe).join(' or ')}, or another kind of copula`,
  );
}

/** @param share of the rows */
function drawnAnewNote({ rule, columns }: BrokenRule, share: number): Note {
  return {
    code: 'rules',
    columns,
    message:
      `${(100 * share).toPrecision(2)} % of the rows broke a rule of the data, most of them that ${rule}, and were drawn anew: the model has not ` +
      `learned it, and ${andWords(columns.map(describe))} of the sample are not distributed as they are in the data; another kind of copula may learn it`,
  };
}

/** The seed and the first row of a sample, for what is made beside the modelled columns. */
function restoring({ seed, firstRow }: { seed?: Seed | undefined; firstRow?: number | undefined }) {
  return { seed, firstRow };
}

/** A distribution function at points. */
export interface JointCdf {
  /** For each point the probability, or the share of the sample that is not above it in any column. */
  readonly values: Float64Array;
  /** Of a share sqrt(p (1 - p) / n) at p = (hits + 1) / (n + 2), which is never 0; 0 where the value is exact to rounding. */
  readonly standardErrors: Float64Array;
}

/**
 * A distribution of the columns of a table: margins and a copula (Sklar's theorem). Everything is on the data scale, with
 * the names, order and kinds of the columns it was learned from.
 *
 * @example
 * ```ts
 * import { GaussianCopula, JointDistribution, Margins, Table } from 'sklar';
 *
 * const copula = new GaussianCopula(Float64Array.of(1, 0.7, 0.7, 1), 2);
 * const margins = await Margins.fit(Table.fromMatrix(await copula.sample(300)), { margins: 'normal' });
 * const joint = new JointDistribution(copula, margins);
 * await joint.logPdf([[0.4, 0.6]]); // nats per unit of the columns
 * const { table, logMarginalDensity } = await joint.sampleConditional({ column1: 0.9 }, 10);
 * table.column('column1')[0]; // => 0.9
 * ```
 */
export class JointDistribution implements Disposable {
  /** The dependence. */
  readonly copula: Copula;
  /** The distributions of the columns. */
  readonly margins: Margins;
  #equivalences: Promise<Equivalence[]> | null = null;

  /**
   * @param margins stored with the copula from now on
   * @throws SklarError ERR_SKLAR_SHAPE when their numbers of columns differ
   */
  constructor(copula: Copula, margins: Margins) {
    expectCopula(copula, 'a joint distribution').expectAlive();
    if (!(margins instanceof Margins)) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected margins for a joint distribution, got ${describe(margins)}`,
      );
    }
    if (margins.names.length !== copula.dim) {
      throw new SklarError(
        'ERR_SKLAR_SHAPE',
        `expected ${copula.dim} margins for a copula of that dimension, got ${margins.names.length}`,
      );
    }
    this.copula = copula;
    this.margins = margins;
    copula.names = margins.names;
    copula.margins = margins;
  }

  /** Columns. */
  get dim(): number {
    return this.copula.dim;
  }

  /** Of the columns that are modelled, in order; those that say where cells are missing (`TableSchema.indicators`) come last. */
  get names(): readonly string[] {
    return this.margins.names;
  }

  /** How their numbers are held: integers or not. */
  get kinds(): readonly ColumnKind[] {
    return this.margins.kinds;
  }

  /** All columns of the table that it was learned from, also those that it does not model. */
  get schema(): TableSchema {
    return this.margins.schema;
  }

  /** What was decided when margins and copula were fitted. */
  get notes(): readonly Note[] {
    return this.copula.allNotes;
  }

  /**
   * Log density of each row in nats, log c(F_1(x_1), ..., F_d(x_d)) + sum of log f_i(x_i); -Infinity outside the support,
   * Infinity at a value where the density of a margin has no bound.
   * In columns with a value of positive probability, F_i is the block of levels that it has, over which c is integrated, and
   * f_i is left out: a row of such values alone has the log of its probability, a mixed row a density with respect to the
   * Lebesgue measure in the other columns; see `Copula.logPdfCells`. Of a copula that is not normalised, up to a constant,
   * unless `normalised: true`. Levels are carried on the Gaussian scale, so that both tails are equally exact, as far as 37.5
   * standard deviations (without end for normal and log-normal margins with a Gaussian copula).
   *
   * @param rows a table, whose columns are found by name, or a matrix or rows with the columns in order
   * @throws SklarError ERR_SKLAR_VALUE for missing columns and values that are not finite; see `Copula.logPdf`
   */
  async logPdf(rows: RowsInput, options: JointLogPdfOptions = {}): Promise<Float64Array> {
    options = expectOptions(options, 'logPdf of a joint distribution', jointLogPdfOptions);
    firstRowOf(options);
    const table = this.#toTable(rows, 'the rows of logPdf');
    const { threads, signal } = options;
    const run = { threads, signal };
    return scoreBatches(table, this.dim, options, async (part, firstRow, at) => {
      const ofMargins = await at(this.margins.logPdf(part, { ...run, atoms: false }));
      const ofCopula = { ...options, scale: 'gaussian', firstRow, onProgress: undefined } as const;
      const log = await this.#logCopula(part, ofCopula, run, at);
      // beyond the support the copula's density means nothing
      const sum = log.map((value, i) => (ofMargins[i] === -Infinity ? -Infinity : value + ofMargins[i]!));
      // an infinite density is that of a margin without a bound, or none
      const bad = sum.findIndex(
        (value, i) => Number.isNaN(value) || (value === Infinity && ofMargins[i] !== Infinity),
      );
      if (bad < 0) return sum;
      throw new SklarError(
        'ERR_SKLAR_DIVERGED',
        `the log density of row ${firstRow + bad + 1} is ${sum[bad]}`,
      );
    });
  }

  /**
   * Log densities of tables one after another, parts of one that need not fit into memory: as `logPdf` of all their rows. A table is
   * asked for when the log densities of the last one have been taken.
   *
   * @param tables such as `TableReader.batches` gives; row numbers of messages go on from one to the next
   * @throws SklarError as `logPdf`
   *
   * @example
   * ```ts
   * import { FamilyCopula, TableReader, TableWriter, Table, fitJoint, matrix, writeTable } from 'sklar';
   *
   * const table = Table.fromMatrix(await new FamilyCopula('joe', { theta: 2 }).sample(300));
   * const joint = await fitJoint(table, { copula: { kind: 'joe' } });
   * await writeTable(table, 'rows.parquet');
   * using reader = await TableReader.open('rows.parquet', { columns: joint.names });
   * await using writer = await TableWriter.open('scores.parquet', ['log_pdf']);
   * for await (const scores of joint.logPdfStream(reader.batches())) {
   *   await writer.append(matrix(scores, scores.length, 1));
   * }
   * await writer.close();
   * ```
   */
  async *logPdfStream(
    tables: AsyncIterable<Table> | Iterable<Table>,
    options: JointLogPdfOptions = {},
  ): AsyncGenerator<Float64Array, void> {
    options = expectOptions(options, 'logPdfStream of a joint distribution', jointLogPdfOptions);
    let firstRow = firstRowOf(options);
    const given = tables as unknown;
    if (
      typeof given !== 'object' ||
      given === null ||
      ArrayBuffer.isView(given) ||
      !(Symbol.asyncIterator in given || Symbol.iterator in given)
    ) {
      throw new SklarError('ERR_SKLAR_VALUE', `expected tables for logPdfStream, got ${describe(given)}`);
    }
    for await (const table of tables) {
      if (!Table.is(table)) {
        throw new SklarError('ERR_SKLAR_VALUE', `expected tables for logPdfStream, got ${describe(table)}`);
      }
      const scores = await this.logPdf(table, { ...options, firstRow });
      firstRow += table.rows;
      yield scores;
    }
  }

  async #logCopula(
    table: Table,
    options: LogPdfOptions,
    run: ColumnRunOptions,
    at: <T>(work: Promise<T>) => Promise<T>,
  ): Promise<Float64Array> {
    if (!this.margins.hasAtoms && !table.columns.some((values) => values.some(Number.isNaN))) {
      const z = await at(this.margins.transform(table, { ...run, scale: 'gaussian' }));
      return this.copula.logPdf(lend(z), options);
    }
    const cells = await at(this.margins.cells(table, run));
    const widths = narrowBlocksAsLevels(cells, this.margins);
    const log = await this.copula.logPdfCells(lend(cells.lower), lend(cells.upper), options);
    return log.map((value, i) => value + widths[i]!);
  }

  /**
   * Draws rows of all columns of the table that it was learned from, in their order and with their types; cells are missing as
   * often, and together, as there.
   *
   * @throws SklarError see `Copula.sample`
   */
  async sample(rows: number, options: JointSampleOptions = {}): Promise<Table> {
    options = expectOptions(options, 'sample of a joint distribution', jointSampleOptions);
    expectInteger(rows, 'the number of rows', { min: 0, max: Math.floor(2 ** 32 / this.dim) });
    const { complete, onNote, ...drawing } = options;
    const columns = this.names.map(() => new Float64Array(rows));
    let done = 0;
    for await (const batch of this.#drawn(rows, drawing, { complete, onNote })) {
      batch.columns.forEach((values, j) => columns[j]!.set(values, done));
      done += batch.rows;
    }
    const table = new Table(this.names, columns, this.margins.columnTypes);
    return this.schema.restore(table, { ...restoring(options), complete });
  }

  /** The same rows as `sample`, in tables of at most `batch` rows, so that memory does not bound them. */
  async *sampleStream(
    rows: number,
    options: JointSampleOptions & { batch?: number } = {},
  ): AsyncGenerator<Table, void> {
    options = expectOptions(options, 'sampleStream of a joint distribution', {
      ...jointSampleOptions,
      batch: true,
    });
    const { complete, onNote, ...drawing } = options;
    let firstRow = firstRowOf(options);
    for await (const batch of this.#drawn(rows, drawing, { complete, onNote })) {
      yield this.schema.restore(batch, { ...restoring(options), firstRow, complete });
      firstRow += batch.rows;
    }
  }

  /** The modelled columns of few rows. */
  async #batch(rows: number, options: DrawOptions): Promise<Table> {
    for await (const batch of this.#drawn(rows, { ...options, batch: rows }, { complete: true }))
      return batch;
    throw new Error('no rows were drawn');
  }

  /**
   * The same rows without any that breaks a rule of the data: cells are set where a rule says what they are, other rows are drawn anew, so that the
   * law is that of all rows given the rules.
   *
   * @param fixed columns whose cells are given
   */
  async #keepingRules(
    drawn: Table,
    fixed: ReadonlySet<string>,
    draw: (turn: number, rows: number) => Promise<Table>,
  ): Promise<Table> {
    const breaking = (rows: Table) => this.schema.breakingRows(rows, { complete: true });
    const { table, broken } = this.#obeying(drawn, breaking, { fixed });
    if (broken.length === 0) return table;
    const columns = table.columns.map((values) => values.slice());
    const most = mostDraws(table.rows);
    let turnRows = table.rows;
    for (let [turn, draws] = [1, table.rows]; broken.length > 0; turn++) {
      if (draws > most) {
        const left = new Table(table.names, columns, table.types).take(broken);
        throw ruleFailure(this.schema, left, table.rows, Math.floor(draws / table.rows));
      }
      turnRows = Math.max(table.rows, Math.min(2 * turnRows, MOST_TURN_ROWS));
      draws += turnRows;
      const { table: fresh, broken: left } = this.#obeying(await draw(turn, turnRows), breaking, {
        fixed,
      });
      const bad = new Set(left);
      const kept = Array.from({ length: fresh.rows }, (_, i) => i).filter((i) => !bad.has(i));
      const filled = broken.splice(0, kept.length);
      columns.forEach((values, j) => filled.forEach((i, k) => (values[i] = fresh.columns[j]![kept[k]!]!)));
    }
    return new Table(table.names, columns, table.types);
  }

  /** Rows with the cells that rules say, and the numbers of those that break a rule all the same. */
  #obeying(
    rows: Table,
    breaking: (rows: Table) => number[],
    options: { fixed?: ReadonlySet<string>; complete?: boolean },
  ) {
    const before = breaking(rows);
    const table = this.schema.obeying(rows, before, options);
    return { table, broken: table === rows ? before : breaking(table) };
  }

  /** The modelled columns of rows. */
  async *#drawn(
    rows: number,
    options: DrawOptions,
    { complete, onNote }: Pick<JointSampleOptions, 'complete' | 'onNote'>,
  ): AsyncGenerator<Table, void> {
    let row = options.firstRow ?? 0;
    let [anew, worst]: [number, BrokenRule | null] = [0, null];
    for await (const batch of this.#proposed(rows, options)) {
      const breaking = (table: Table) =>
        this.schema.breakingRows(table, { ...restoring(options), firstRow: row, complete });
      let { table: drawn, broken } = this.#obeying(batch, breaking, { complete: complete ?? false });
      anew += broken.length;
      if (broken.length > 0) worst ??= this.schema.worstRule(drawn.take(broken));
      // a row that breaks a rule is drawn anew under another seed, whatever the batch that it is in
      for (let turn = 1; broken.length > 0; turn++) {
        if (turn > MOST_TURNS) {
          throw ruleFailure(this.schema, drawn.take(broken), batch.rows, MOST_TURNS);
        }
        const seed = turnSeed(options.seed ?? 1, turn);
        const columns = drawn.columns.map((values) => values.slice());
        // few rows one by one, many with all others
        const ranges =
          FEW * broken.length < batch.rows ? broken.map((i) => [i, 1] as const) : [[0, batch.rows] as const];
        for (const [from, count] of ranges) {
          const again = this.#proposed(count, { ...options, seed, firstRow: row + from, batch: count });
          for await (const fresh of again) {
            for (const i of count === 1 ? [from] : broken) {
              columns.forEach((values, j) => (values[i] = fresh.columns[j]![i - from]!));
            }
          }
        }
        drawn = this.schema.obeying(new Table(batch.names, columns, batch.types), broken, {
          complete: complete ?? false,
        });
        broken = breaking(drawn);
      }
      row += batch.rows;
      yield drawn;
    }
    if (worst && anew > TOLD_ANEW * rows) tell(onNote, drawnAnewNote(worst, anew / rows));
  }

  /** The same, whatever rules they break. */
  async *#proposed(rows: number, options: DrawOptions): AsyncGenerator<Table, void> {
    // Nothing is lost between the copula and the margins.
    const { threads, signal } = options;
    const stream = this.copula.sampleStream(rows, { ...options, scale: 'gaussian', dtype: 'float64' });
    for await (const z of stream) yield this.#cellsOf(z, { threads, signal });
  }

  /** Drawn rows as cells, in which columns that have a value in the same rows alone do so. */
  async #cellsOf(z: Matrix, run: ColumnRunOptions, fixed?: ReadonlySet<number>): Promise<Table> {
    this.#equivalences ??= equivalencesOf(this.schema, this.margins);
    leaveBlocks(z as Matrix & { data: Float64Array }, await this.#equivalences, fixed);
    return expectDrawn(await this.margins.drawn(z, run));
  }

  /**
   * Draws rows given the values of some columns.
   *
   * @param fixed cells by column name: values in the units of the data, labels, dates, and ranges of them, such as
   *   `{ above: 90 }`; a range or a value of positive probability stands for its block of levels, and rows are drawn until enough of
   *   them lie in it (`blockAcceptance`), so that any copula can be given such columns alone; where too few would, by the levels of
   *   `probability` (`method: 'subset-simulation'`)
   * @returns rows with the fixed values that keep the rules of the schema, with its columns that are computed and ids that are made, no
   *   cell missing; and the log density of the condition on the data scale (of ranges their probability), whatever the rules
   * @throws SklarError ERR_SKLAR_VALUE for columns that do not exist, values where the margin has no mass, ranges that no draw is in, values beside
   *   single ones of so little probability that too many draws (1,000 for each row, at least 2^20, at most 10^7) would be needed, and copulas that
   *   cannot; see `Copula.sampleConditional`
   */
  async sampleConditional(
    fixed: Readonly<Record<string, Cell | CellRange>>,
    rows: number,
    options: JointConditionalOptions = {},
  ): Promise<JointConditionalSample> {
    options = expectOptions(options, 'sampleConditional of a joint distribution', jointConditionalOptions);
    const { table, ...rest } = await this.#drawnGiven(fixed, rows, options);
    return { ...rest, table: this.schema.restore(table, { ...restoring(options), complete: true }) };
  }

  /** The modelled columns of rows given cells. */
  async #drawnGiven(
    fixed: Readonly<Record<string, Cell | CellRange>>,
    rows: number,
    options: JointConditionalOptions,
  ): Promise<JointConditionalSample> {
    const { threads, signal } = options;
    const given = numbersOfCells(fixed, this.margins);
    this.schema.expectKept(given);
    const condition = await conditionOf(given, this.margins);
    const drawn = (count: number, of: JointConditionalOptions) =>
      sampleGivenBlocks(this.copula, condition, count, of, () => describeBlocks(given, condition));
    const toData = async (z: Matrix) =>
      withFixed(await this.#cellsOf(z, { threads, signal }, new Set(condition.columns)), given);
    const { rows: z, ...rest } = await drawn(rows, options);
    const table = await this.#keepingRules(await toData(z), new Set(given.keys()), async (turn, count) => {
      const seed = turnSeed(options.seed ?? 1, turn);
      return toData((await drawn(count, { ...options, seed, onProgress: undefined })).rows);
    });
    let ofMargins = 0;
    for (const [i, [name, value]] of Array.from(given).entries()) {
      if (typeof value !== 'number' || condition.lower[i] !== condition.upper[i]) continue;
      ofMargins += this.margins.margin(name).logPdf(Float64Array.of(value))[0]!;
    }
    return {
      ...rest,
      logMarginalDensity: rest.logMarginalDensity === null ? null : rest.logMarginalDensity + ofMargins,
      table,
    };
  }

  /**
   * The probability of an event with its standard error, that of rare ones, too (docs/mathematics.md, O): a function of a row, or a condition in
   * words as in `sampleWhere`, of the whole row, before cells go missing. The law is that of `sample`, given the rules of the data.
   *
   * @param event of a row `{ depth: 3.1, soil: 'clay' }` (Dates of dates, null of what is missing), which is valid for the call alone: a number, the
   *   greater the nearer the row is to the event, at least 0 in it; or whether it is of the event. Functions that say yes or no have no levels
   *   between: rows are drawn (`draws`) and counted. Conditions have levels. One that holds columns to single values without a
   *   probability of their own is that of the rest given these, by `draws` rows
   * @throws SklarError ERR_SKLAR_VALUE for options, conditions that cannot be read, columns that do not exist, and events that throw or say NaN
   *
   * @example
   * ```ts
   * import { Table, fitJoint } from 'sklar';
   *
   * const a = Array.from({ length: 100 }, (_, i) => ((37 * i) % 100) / 8);
   * const joint = await fitJoint(Table.fromColumns({ a, b: a.map((x, i) => x + ((13 * i) % 10) / 8) }), { copula: { kind: 'gaussian' } });
   * const words = await joint.probability('a > 11 and b > 12');
   * const sum = await joint.probability(({ a, b }) => Number(a) + Number(b) - 25);
   * words.standardError < words.probability / 5; // => true
   * sum.method; // => 'subset-simulation'
   * ```
   */
  async probability(
    event: string | EventOf<EventRow>,
    options: JointEventOptions = {},
  ): Promise<EventProbability> {
    options = expectOptions(options, 'probability of a joint distribution', eventOptions);
    const { levels, fixed, rowsOf } = await this.#eventOf(event, 'probability');
    if (Object.keys(fixed).length === 0) return (await this.#estimate(levels, options)).event;
    const { draws = GIVEN_DRAWS, seed = 1, onProgress } = options;
    const rest = without(options, 'draws', 'seed', 'least', 'onProgress');
    expectInteger(draws, 'draws', { min: 1, max: 2 ** 26 });
    let [drawn, inside, size] = [0, 0, 0];
    for (let batch = 0; drawn < draws; batch++) {
      const count = Math.min(GIVEN_BATCH, draws - drawn);
      const given = await this.#drawnGiven(fixed, count, { ...rest, seed: batchSeed(seed, batch) });
      inside += rowsOf(this.schema.restore(given.table, { complete: true })).length;
      drawn += count;
      size += given.effectiveSampleSize ?? count;
      tell(onProgress, { fraction: drawn / draws });
    }
    tell(onProgress, { fraction: 1 });
    const hits = (inside / drawn) * size;
    const about = { method: 'monte-carlo', levels: 0, acceptance: null, evaluations: drawn } as const;
    return { ...plainProbability([{ draws: size, hits }], [1]), ...about };
  }

  /**
   * Draws rows that have a property, in words: `orders > 0 or amount = 0`, or as a function of a row (see `probability`). Columns that the condition
   * holds to values without a probability of their own are drawn given these; rows that do not have the rest of it are left out, so that the law
   * is that of the model given the condition. A property that too few draws have (`event.drawn` says so) is come near to by levels: the rows are then
   * states of chains, worth about `event.effectiveRows` independent ones.
   *
   * @param where comparisons (`=`, `!=`, `<`, `<=`, `>`, `>=`, `in (a, b)`) of columns with values or other columns, `and`, `or`,
   *   `not`, parentheses; names with signs in "double quotes", texts with signs in 'single quotes'. Of the whole row, before cells
   *   go missing
   * @returns the rows, which share of the draws has the property (given these values), and how they were drawn
   * @throws SklarError ERR_SKLAR_VALUE for conditions that cannot be read or that no draw has, of conditions on single values those of too little
   *   probability (as `sampleConditional`), and copulas that cannot be given levels
   *
   * @example
   * ```ts
   * import { Table, fitJoint } from 'sklar';
   *
   * const a = Array.from({ length: 100 }, (_, i) => ((37 * i) % 100) / 8);
   * const joint = await fitJoint(Table.fromColumns({ a, b: a.map((x, i) => x + ((13 * i) % 10) / 8) }), { copula: { kind: 'gaussian' } });
   * const { table, event } = await joint.sampleWhere('a > 5 and b < 10', 100);
   * table.column('a').every((x) => x > 5); // => true
   * event.drawn; // => 'rejection'
   * ```
   */
  async sampleWhere(
    where: string | EventOf<EventRow>,
    rows: number,
    options: JointConditionalOptions = {},
  ): Promise<{ readonly table: Table; readonly acceptance: number; readonly event: EventSample }> {
    options = expectOptions(options, 'sampleWhere of a joint distribution', jointConditionalOptions);
    expectInteger(rows, 'the number of rows', { min: 1, max: Math.floor(2 ** 26 / this.dim) });
    const { levels, fixed, rowsOf, what } = await this.#eventOf(where, 'sampleWhere');
    const { seed = 1, onProgress, ...rest } = options;
    const { device, precision, threads, signal } = rest;
    const run = { device, precision, threads, signal };
    const isGiven = Object.keys(fixed).length > 0;
    const columns = this.names.map(() => new Float64Array(rows));
    const most = mostDraws(rows);
    let [kept, inside, possible, drawn] = [0, 0, 0, 0];
    for (let batch = 0; kept < rows; batch++) {
      if (!isGiven && needsMore(rows, inside, drawn)) {
        const own = Object.entries({ ...rest, seed, onProgress }).filter(([name]) => name in eventOptions);
        const estimate = await this.#estimate(levels, Object.fromEntries(own));
        const noRow = () => tooRare(what, inside, possible, rows);
        const { rows: z, ...event } = await sampleEstimate(estimate, rows, noRow);
        const { table } = await this.#completeRows(z, rows, { threads, signal });
        return { table: this.schema.restore(table, { seed }), acceptance: event.probability, event };
      }
      if (drawn >= most) throw tooRare(what, inside, possible, rows);
      const count = nextDraws(rows - kept, inside, drawn, { batch, most, dim: this.dim });
      const proposed = isGiven
        ? (await this.#drawnGiven(fixed, count, { ...rest, seed: batchSeed(seed, batch) })).table
        : await this.#batch(count, { ...run, seed, firstRow: drawn });
      for (const i of rowsOf(this.schema.restore(proposed, { complete: true }))) {
        inside++;
        if (kept === rows) continue;
        columns.forEach((column, j) => (column[kept] = proposed.columns[j]![i]!));
        kept++;
      }
      possible += proposed.rows;
      drawn += count;
      tell(onProgress, { fraction: kept / rows });
    }
    const table = new Table(this.names, columns, this.margins.columnTypes);
    return {
      table: this.schema.restore(table, { seed }),
      acceptance: inside / possible,
      event: rejected(inside, possible, drawn, rows),
    };
  }

  /** What an event says of rows, and what it holds columns to that rejection would never meet. */
  async #eventOf(event: string | EventOf<EventRow>, what: string) {
    if (typeof event === 'function') {
      const levels = levelsOfFunction(event);
      const rowsOf = (table: Table) => {
        const level = levels(matrix(new Float64Array(0), 0, this.dim), table);
        return Array.from({ length: table.rows }, (_, i) => i).filter((i) => level(i) >= 0);
      };
      return { levels, rowsOf, fixed: {}, what: 'the event' };
    }
    if (typeof event !== 'string') {
      expectEvent<EventRow>(event, `the event of ${what}, or a condition in words`);
    }
    const { condition, given, rows: rowsOf } = parseWhere(event, this.schema.columns);
    const { lower, upper } = await conditionOf(numbersOfCells(given, this.margins), this.margins);
    const fixed = Object.fromEntries(Object.entries(given).filter((_, i) => lower[i] === upper[i]));
    return { levels: await levelsOfCondition(condition, this.margins), rowsOf, fixed, what: describe(event) };
  }

  #estimate(levels: RowLevels, options: JointEventOptions): Promise<EventEstimate> {
    const { threads, signal } = options;
    const levelsOf: LevelsOf = async (z, rows) => {
      const { table, broken } = await this.#completeRows(z, rows, { threads, signal });
      const level = levels(matrix(z, rows, this.dim), this.schema.restore(table, { complete: true }));
      const none = new Set(broken);
      return Float64Array.from({ length: rows }, (_, i) => (none.has(i) ? NaN : level(i)));
    };
    return this.copula.estimateEvent(levelsOf, options);
  }

  /** The modelled columns of rows of the Gaussian scale, and the numbers of those that break a rule. */
  async #completeRows(z: Float64Array, rows: number, run: ColumnRunOptions) {
    const drawn = await this.#cellsOf(matrix(z.slice(), rows, this.dim), run);
    return this.#obeying(drawn, (table) => this.schema.breakingRows(table, { complete: true }), {
      complete: true,
    });
  }

  /**
   * Draws the missing cells of a table given the cells of the same row that are there, once or several times (multiple imputation). A value of
   * positive probability stands for its block of levels. Rules of the schema hold in the rows that are made; derived columns and
   * constants are computed again, and a source of a linear function follows from the others. Cells that are there stay as they are, and so
   * do missing ids and columns that the model does not have.
   *
   * @param table with the columns of the model, found by name, and possibly others
   * @returns a table for each draw, and how far the draws are apart
   * @throws SklarError ERR_SKLAR_VALUE for missing columns, options, and a copula without a density (the published reflection
   *   network)
   *
   * @example
   * ```ts
   * import { GaussianCopula, Table, fitJoint } from 'sklar';
   *
   * const rows = await new GaussianCopula(Float64Array.of(1, 0.9, 0.9, 1), 2).sample(400);
   * const joint = await fitJoint(rows, { copula: { kind: 'gaussian' } });
   * const table = Table.fromColumns({ column1: [0.2, 0.9, null], column2: [null, 0.8, null] });
   * const { tables, columns } = await joint.impute(table, { draws: 5 });
   * tables[4]!.column('column1')[0]; // => 0.2
   * columns[1]!.cells; // => 2
   * ```
   */
  impute(table: Table, options: ImputeOptions = {}): Promise<Imputation> {
    return imputeTable(this.copula, this.margins, table, options);
  }

  /**
   * P(X_1 <= x_1, ..., X_d <= x_d) for each point: of a classical copula its distribution function (see
   * `ClassicalCopula.cdfWithErrors`), of others, and where `samples` are given, by counting in one sample.
   *
   * @param points as the rows of `logPdf`; Infinity in a column leaves it free
   * @param options.samples rows of the sample, default 100,000
   * @throws SklarError ERR_SKLAR_VALUE for missing columns and NaN; see `Copula.sample`
   */
  async cdf(points: RowsInput, options: JointSampleOptions & { samples?: number } = {}): Promise<JointCdf> {
    options = expectOptions(options, 'cdf of a joint distribution', { ...jointSampleOptions, samples: true });
    const { samples: wanted, ...run } = options;
    const samples = expectInteger(wanted ?? 100_000, 'samples', { min: 1, max: 2 ** 40 });
    const table = this.#toTable(points, 'the points of cdf');
    for (const name of this.names) {
      const row = table.column(name).findIndex(Number.isNaN);
      if (row < 0) continue;
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected numbers for the points of cdf, got NaN (column ${describe(name)}, row ${row + 1})`,
      );
    }
    const below = this.names.map((name) => this.margins.margin(name).cdf(table.column(name)));
    if (wanted === undefined && hasCdf(this.copula)) {
      this.copula.checkSampleOptions(run);
      const u = new Float64Array(table.rows * this.dim);
      below.forEach((column, j) => column.forEach((level, i) => (u[i * this.dim + j] = level)));
      const { threads, signal } = run;
      return this.copula.cdfWithErrors(matrix(u, table.rows, this.dim), { threads, signal });
    }
    const levels = this.names.map((name, j) =>
      scoresOf(below[j]!, this.margins.margin(name).survival(table.column(name))),
    );
    const hits = new Float64Array(table.rows);
    const stream = this.copula.sampleStream(samples, {
      ...run,
      scale: 'gaussian',
      dtype: 'float64',
      batch: CDF_ROWS,
    });
    for await (const { data, rows } of stream) {
      for (let i = 0; i < hits.length; i++) {
        for (let row = 0, at = 0; row < rows; row++, at += this.dim) {
          let j = 0;
          while (j < this.dim && data[at + j]! <= levels[j]![i]!) j++;
          if (j === this.dim) hits[i]!++;
        }
      }
    }
    return {
      values: hits.map((count) => count / samples),
      standardErrors: hits.map((count) => {
        const p = (count + 1) / (samples + 2);
        return Math.sqrt((p * (1 - p)) / samples);
      }),
    };
  }

  /** Writes copula and margins to one .safetensors file; the old file stays until the new one is complete. */
  save(path: string): Promise<void> {
    return this.copula.save(path);
  }

  /** Frees what the copula holds. */
  dispose(): void {
    this.copula.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #toTable(rows: RowsInput, what: string): Table {
    if (Table.is(rows)) return Table.settled(rows, what, (table) => this.schema.modelled(table));
    const { data, rows: count, columns } = toDense(rows, what, this.dim);
    return Table.owned(Table.fromMatrix(matrix(data, count, columns, this.names)));
  }
}

/** Options of `fitJoint`. `onProgress`, checkpoints and seed are those of the copula. */
export interface FitJointOptions
  extends RunOptions, Omit<FitCopulaOptions, 'names' | 'margins' | 'blocks' | 'weights'> {
  /** Default `auto`, which tries several kinds and takes the best (`FitAutoOptions`); `cdc` where there are options, but no kind. */
  copula?: CopulaSpec | ({ readonly kind?: 'auto' } & AutoOptions);
  /** Default `auto`. */
  margins?: MarginsSpec;
  /**
   * Of the rows, or the name of the column that holds them, which is set aside: finite, not negative, not all 0, in any unit. Ranks, margins and
   * the copula are those of the weighted rows (docs/mathematics.md, N.5). Default: all count alike.
   */
  weights?: Weights | string | undefined;
  /**
   * A model without values of the rows: all numbers that margins hold come from means of so many values at least (2 to 30; `true`: 10) and from
   * values that so many rows have, tails from the mean excesses of such means, and rarer labels are one (docs/mathematics.md, N.6). Not
   * for the kind `empirical-beta`, which keeps the ranks of the rows. It is no guarantee of differential privacy. Default false.
   */
  private?: boolean | number | undefined;
  /** Equal values, see `PseudoObservations` and `Margins`; default `random`. */
  ties?: Ties;
  /** What missing cells are to the model, default `auto`; see `MissingRule`. */
  missing?: MissingRule;
  /** Told the share of the work on ranks and margins that is done, up to 1, before the copula is fitted. */
  onMarginsProgress?: ((fraction: number) => void) | undefined;
}

const jointOptions: OptionNames<FitJointOptions> = {
  ...without(fitOptions, 'names', 'margins', 'blocks', 'weights'),
  copula: true,
  weights: true,
  private: true,
  margins: true,
  ties: true,
  missing: true,
  onMarginsProgress: true,
};

/**
 * Fits margins and a copula to rows. The copula learns from the ranks of the rows, whatever the margins are: a margin
 * that fits badly does not spoil the dependence.
 *
 * @param rows a table, or a matrix or rows (columns without names are called `column1`, `column2`, ...), of finite numbers; at least a
 *   row and a column. Of fewer than 8 rows, or of one column to model, the copula is that of independence, as a note says, whatever kind was asked for
 * @throws SklarError ERR_SKLAR_VALUE naming columns or options, and as `fitMargin` and `fitCopula`
 *
 * @example
 * ```ts
 * import { FamilyCopula, Table, fitJoint } from 'sklar';
 *
 * const table = Table.fromMatrix(await new FamilyCopula('joe', { theta: 2 }).sample(300));
 * const joint = await fitJoint(table, { copula: { kind: 'joe' }, margins: { column1: 'beta' } });
 * (await joint.sample(5, { seed: 1 })).names; // => ['column1', 'column2']
 * joint.notes; // what was decided about the columns
 * ```
 */
export async function fitJoint(rows: RowsInput, options: FitJointOptions = {}): Promise<JointDistribution> {
  options = expectOptions(options, 'fitJoint', jointOptions);
  const {
    copula: spec = {},
    margins: marginsSpec,
    ties = 'random',
    missing,
    weights: given,
    private: asked,
    onMarginsProgress,
    ...common
  } = options;
  const { kind = defaultKind({ ...common, ...spec }), ...model } = expectOptions(
    spec,
    'the copula of fitJoint',
    { kind: true, ...spec },
  );
  const tried = kindsOf(kind, model);
  const { table, weights, column, notes } = takeWeighted(toNamedTable(rows), given);
  const privateRows = expectPrivate(asked, tried);
  const pooled = privateRows === null ? null : poolRare(table, privateRows);
  const rest = { weights, privateRows, ...(pooled && { others: pooled.others }) };
  const schema = TableSchema.inferWith(pooled?.table ?? table, { missing, weightsColumn: column }, rest);
  const seed: Seed = common.seed ?? 1;
  const modelled = schema.modelled(pooled?.table ?? table);
  const settings = {
    schema,
    weights,
    notes: [...notes, ...(pooled?.notes ?? [])],
    ties,
    seed,
    margins: marginsSpec ?? 'auto',
    threads: common.threads,
    signal: common.signal,
    onProgress: onMarginsProgress,
  };
  const independent = await fitIndependent(modelled, settings, leastRows(kind));
  if (independent) return new JointDistribution(independent.copula, independent.margins);
  const { ranks, margins } = await fitRanksAndMargins(modelled, settings);
  const copula = await fitCopula(lend(ranks.transformTrain()), {
    ...common,
    ...model,
    kind: kind as CopulaKind,
    blocks: ranks.trainingBlocks(),
    ...(weights && { weights: weights.each }),
  });
  return new JointDistribution(copula, margins);
}

/**
 * Checks a kind and its options before anything is fitted.
 *
 * @returns the kinds that may come of it
 * @throws SklarError ERR_SKLAR_VALUE naming the option
 */
function kindsOf(kind: CopulaKind | 'auto', options: object): CopulaKind[] {
  if (expectOneOf(kind, 'kind', [...copulaKinds, 'auto'] as const) === 'auto') {
    const own = expectOptions<AutoOptions>(options, 'a copula of kind auto', autoOptions);
    return (expectAuto(own) ?? []).map((candidate) => candidate.kind);
  }
  kinds[kind as CopulaKind].fitter(options);
  return [kind as CopulaKind];
}

/** Values that a number of a private model is of, at least, unless said otherwise; rules of a schema are of 30 rows. */
const PRIVATE_ROWS = 10;
const MOST_PRIVATE_ROWS = 30;

/** Of how many values all is that a model holds; null: it is not private. @throws SklarError ERR_SKLAR_VALUE */
export function expectPrivate(
  asked: boolean | number | undefined,
  tried: readonly CopulaKind[],
): number | null {
  if (asked === undefined || asked === false) return null;
  if (tried.includes('empirical-beta')) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      'expected a kind that keeps no rows of the data for private, got empirical-beta, which is made of their ranks',
    );
  }
  return asked === true ? PRIVATE_ROWS : expectInteger(asked, 'private', { min: 2, max: MOST_PRIVATE_ROWS });
}

/** The rows that have a weight, without the column that holds it. */
export function takeWeighted(
  table: Table,
  given: Weights | string | undefined,
): {
  table: Table;
  weights: RowWeights | null;
  /** The numbers of the rows; null: all. */
  kept: Uint32Array | null;
  column: string | null;
  notes: readonly Note[];
} {
  if (given === undefined) return { table, weights: null, kept: null, column: null, notes: [] };
  const column = typeof given === 'string' ? given : undefined;
  const taken = typeof given === 'string' ? weightsColumn(table, given) : { table, weights: given };
  const resolved = resolveWeights(taken.weights, table.rows, column);
  return {
    table: resolved.kept ? taken.table.take(resolved.kept) : taken.table,
    weights: resolved.weights,
    kept: resolved.kept,
    column: column ?? null,
    notes: weightsNotes(resolved, table.rows, column),
  };
}

type FitMarginsOptions = Omit<MarginsOptions, 'weights'> &
  ColumnRunOptions & {
    readonly schema?: TableSchema | undefined;
    readonly weights?: RowWeights | null;
    readonly notes?: readonly Note[];
  };

/** Rows that a copula of the kind can be learned from; one more where candidates are judged by rows that they were not fitted to. */
export const leastRows = (kind: string) => FEWEST_ROWS + Number(kind === 'auto');

/**
 * Margins in an independence copula, where rows, of `least`, or columns are too few to learn a dependence from, and a note that says so; null where
 * they are not.
 */
export async function fitIndependent(
  table: Table,
  options: FitMarginsOptions,
  least: number,
): Promise<{ copula: GaussianCopula; margins: Margins } | null> {
  const { names, rows } = table;
  const { schema, notes = [] } = options;
  if (rows === 0 || names.length === 0) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected at least 1 row and 1 column, got ${rows} rows of ${names.length} columns`,
    );
  }
  if (names.length > 1 && rows >= least) return null;
  const message =
    names.length > 1
      ? `too few rows to tell dependence from chance (${rows}, of at least ${least}): the columns are independent in the model`
      : varies(table.columns[0]!)
        ? `${describe(names[0])} is all that is modelled: there is no dependence to learn, and the model is this margin`
        : 'no column is left to model: the others are put back or made anew';
  const margins = await fitMargins(table, options);
  const identity = new Float64Array(names.length ** 2).map((_, k) => Number(k % (names.length + 1) === 0));
  const told: Note = { code: 'fit', columns: [], message };
  return {
    copula: new GaussianCopula(identity, names.length),
    margins: margins.after([...privateNotes(schema), ...notes, told, ...(schema?.notes ?? [])]),
  };
}

const privateNotes = (schema: TableSchema | undefined): Note[] =>
  typeof schema?.privateRows === 'number' ? [privateNote(schema.privateRows)] : [];

async function fitMargins(
  table: Table,
  {
    weights = null,
    schema,
    notes: _,
    ...options
  }: Omit<FitMarginsOptions, 'weights'> & { weights?: CellWeights },
): Promise<Margins> {
  const { margins: spec = 'auto', threads, signal } = options;
  const least = schema?.privateRows ?? null;
  const learned =
    least === null ? table : await privateTable(table, weights, spec, least, { threads, signal });
  const margins = await Margins.fitColumns(learned, options, {
    weights: least === null ? weights : null,
    schema,
  });
  if (learned !== table) release(...learned.columns);
  return margins;
}

/** What a copula learns from, and the margins of the same rows, of a table that nobody uses any longer: it gives its memory back. */
export async function fitRanksAndMargins(
  table: Table,
  options: FitMarginsOptions,
): Promise<{ ranks: PseudoObservations; margins: Margins }> {
  const { onProgress, margins: spec = 'auto', schema, weights = null, notes: known = [], ...rest } = options;
  const part = (from: number) => onProgress && ((fraction: number) => onProgress(from + 0.5 * fraction));
  expectMarginsSpec(spec, table.names);
  await expectUsable(table, rest.signal);
  const modelled = new Set(schema?.indicators.flatMap(({ columns }) => columns));
  const selected = selectedColumns(table, modelled);
  let cells: CellWeights = weights;
  if (selected.length > 0) {
    const ranks = await PseudoObservations.fitColumns(table, weights, rest);
    cells = await weightsForAllRows(table, selected, ranks, weights, beginRun(rest, 'ranks'));
  }
  // the margins first, while there are no ranks in memory
  const margins = await fitMargins(table, { ...options, weights: cells, onProgress: part(0) });
  const ranking = { ...rest, onProgress: part(0.5) };
  const ranks = await PseudoObservations.fitColumns(table, cells, ranking, true);
  const notes = [
    ...privateNotes(schema),
    ...known,
    ...(schema?.notes ?? []),
    ...(selected.length > 0 ? [allRowsNote(selected)] : []),
    ...ranks.notes,
  ];
  return { ranks, margins: margins.after(notes) };
}

function toNamedTable(rows: RowsInput): Table {
  if (Table.is(rows)) return Table.settled(rows, 'the training rows');
  const { data, rows: count, columns } = toDense(rows, 'the training rows');
  return Table.owned(Table.fromMatrix(matrix(data, count, columns, namesOf(rows))));
}

/**
 * Reads what `JointDistribution.save` or `sklar fit` wrote.
 *
 * @throws SklarError ERR_SKLAR_VALUE for a model whose file holds no margins, or only the ranks of earlier versions, which
 *   have no density; and as `loadModel`
 *
 * @example
 * ```ts
 * import { FamilyCopula, fitJoint, loadJoint } from 'sklar';
 *
 * const rows = await new FamilyCopula('frank', { theta: 3 }).sample(100);
 * await (await fitJoint(rows, { copula: { kind: 'frank' } })).save('joint.safetensors');
 * const joint = await loadJoint('joint.safetensors');
 * joint.dim; // => 2
 * ```
 */
export async function loadJoint(path: string, options: LoadOptions = {}): Promise<JointDistribution> {
  const copula = await loadModel(path, options);
  return jointOf(copula, path);
}

/** The joint distribution of a loaded copula. */
export function jointOf(copula: Copula, path: string): JointDistribution {
  if (copula.margins instanceof Margins) return new JointDistribution(copula, copula.margins);
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected a model with margins, got one ${copula.margins ? 'with ranks, which have no density' : 'without'} (${describe(path)})`,
  );
}

function hasCdf(copula: Copula): copula is ClassicalCopula {
  return copula.capabilities.cdf;
}
