/** All that a report says, as numbers. */
import type { Certificate, CertificateOptions } from '../copulas/judgement/certificate';
import { type Copula, expectCopula } from '../copulas/copula';
import { type Selection } from '../copulas/selection';
import { type RunOptions, beginRun, runOptions } from '../copulas/inputs/run';
import { type Matrix, matrix } from '../matrix';
import { completeRowsOf, finiteRows, varies } from '../data/column-jobs';
import { labelsOf } from '../data/columns/column-type';
import { type Seed, resolveSeed } from '../data/random';
import { serialDependence } from '../data/serial-dependence';
import { type Weights, takeWeights, thinnedRows, weightedTable } from '../data/weights';
import { Table } from '../data/table';
import { type RunRecord, runRecord } from '../devices';
import {
  type OptionNames,
  SklarError,
  type SklarErrorCode,
  describe,
  expectInteger,
  expectOneOf,
  expectOptions,
  expectText,
  expectList,
} from '../errors';
import { type ImpossibleValues, impossibleValues, possibleRows } from '../joint/impossible';
import { JointDistribution } from '../joint/joint';
import { Margins, type TableMargins } from '../margins/margins';
import { type Comparison, compare } from '../metrics/compare';
import { kendall, tailCurves } from '../metrics/dependence';
import { type ImpossibleRows, meanOf } from '../mean';
import type { Note } from '../notes';
import { packageVersion } from '../version';
import { chooseRows } from './charts/axis';
import { type LossNumbers, lossNumbers } from './charts/losses';
import { type MarginNumbers, marginNumbers } from './charts/margins';
import { expectPairColumns } from './charts/scatter';
import { type ColumnNumbers, columnNumbers } from './columns';
import { type DensityNumbers, type Rows, densityNumbers } from './density';
import { type TailNumbers, tailLevels, tailNumbers } from './charts/tails';
import { tell } from '../tell';

/** The sections of a report. */
export const reportSections = [
  'density',
  'margins',
  'pairs',
  'kendall',
  'tails',
  'comparison',
  'certificate',
  'losses',
] as const;

/** What may be left out of a report. */
export type ReportSection = (typeof reportSections)[number];

/** What a report is at. */
export type ReportStage = 'sample' | ReportSection | 'pictures';

/** What a report shows. */
export interface ReportOptions extends RunOptions {
  /** Default: what the model is. */
  title?: string;
  /** The 2 to 24 columns whose margins and pairs are drawn; default the first 12 of the model. */
  columns?: readonly string[];
  /** Of these, columns, all values above 0, whose axis is logarithmic; default none. */
  logarithmic?: readonly string[];
  /** Rows sampled, and rows of the data used at most, chosen at random but the same in every run; default 10,000. */
  rows?: number;
  /** Of the sample, and of what the certificate and the comparison draw; default 1. */
  seed?: Seed;
  /**
   * Of the data. Log densities are weighted means of all rows; for all else rows are drawn by them (`CompareOptions.weights`), and what is
   * shown is of what is left.
   */
  weights?: Weights | undefined;
  /**
   * The rows that the model was fitted to, for the baselines of the log density. Default: baselines are fitted to a part of the data and
   * judged by the rest, in turns.
   */
  train?: Table | undefined;
  /** Of the training rows. */
  trainWeights?: Weights | undefined;
  /** What standard errors of log densities are by; default `blocks` where rows are like those before them (`serialDependence`). */
  errors?: 'rows' | 'blocks' | undefined;
  /** Sections to leave out; default none. */
  skip?: readonly ReportSection[];
  /** Of the certificate, which takes longest. */
  certificate?: Pick<CertificateOptions, 'routeRows' | 'sampleRows' | 'tolerance'>;
  /** Told the stage, and the share of the whole that is done. */
  onProgress?: ((progress: { stage: ReportStage; fraction: number }) => void) | undefined;
}

const reportOptions: OptionNames<ReportOptions> = {
  ...runOptions,
  title: true,
  columns: true,
  logarithmic: true,
  rows: true,
  seed: true,
  weights: true,
  train: true,
  trainWeights: true,
  errors: true,
  skip: true,
  certificate: true,
  onProgress: true,
};
const certificateOptions: OptionNames<NonNullable<ReportOptions['certificate']>> = {
  routeRows: true,
  sampleRows: true,
  tolerance: true,
};

/** An object that JSON can write. A section that is not there is null, and `absent` says why. */
export interface ReportNumbers {
  /** Of this library. */
  readonly libraryVersion: string;
  /** What the model is. */
  readonly model: {
    readonly kind: string;
    readonly dim: number;
    readonly normalised: boolean;
    readonly columns: readonly string[];
    readonly parameters: number;
    readonly config: unknown;
    /** Without the history, which is in `losses`; null for a model without a record. */
    readonly training: unknown;
    readonly margins: {
      readonly rows: number;
      readonly ties: string;
      readonly types: readonly string[];
      /** Whether values recur or cells are missing, so that some stand for blocks of levels. */
      readonly recurring: boolean;
    };
    /** What was decided when it was fitted. */
    readonly notes: readonly Note[];
    /** How its kind was chosen, where it was. */
    readonly selection: Selection | null;
  };
  /** Where the report was computed. */
  readonly run: Pick<RunRecord, 'device' | 'deviceName'>;
  /** Rows of the data, those of them that were used, and rows of the sample. */
  readonly rows: { readonly data: number; readonly used: number; readonly sample: number };
  /** Those of the data with a value that its margin cannot have; null where there are none. */
  readonly impossible: ImpossibleValues | null;
  /** As decimal digits. */
  readonly seed: string;
  /** What each column of the table is to the model. */
  readonly columns: readonly ColumnNumbers[];
  /** Mean log densities of the data, of the model and of baselines. */
  readonly density: DensityNumbers | null;
  /** Of the columns that are drawn. */
  readonly margins: readonly MarginNumbers[] | null;
  /** The pairs of columns drawn, those with the largest |tau| in the data first, and the points drawn of data and sample each. */
  readonly pairs: { readonly pairs: readonly (readonly [string, string])[]; readonly points: number } | null;
  /**
   * Kendall's tau, columns x columns, of the rows that have both cells; null where one of them does not vary there. Of more than 30
   * columns those that are drawn and those of the pairs that differ most.
   */
  readonly kendall: {
    readonly columns: readonly string[];
    readonly data: readonly (readonly (number | null)[])[];
    readonly model: readonly (readonly (number | null)[])[];
  } | null;
  /** Of the pairs of numbers or dates with the largest |tau| in the data, the largest first, in the rows that have both cells. */
  readonly tails: readonly TailNumbers[] | null;
  /** See `compare`. */
  readonly comparison: Comparison | null;
  /** See `Copula.certify`. */
  readonly certificate: Certificate | null;
  /** Of each network. */
  readonly losses: readonly LossNumbers[] | null;
  /** Why a section is null. */
  readonly absent: { readonly [K in ReportSection]?: string };
  /** What the report took. */
  readonly timings: readonly { readonly stage: ReportStage; readonly seconds: number }[];
}

const ROWS = 10_000;
const MOST_DEPENDENCE = 30;
const MOST_TAILS = 6;
const MOST_DRAWN = 24;
const DEFAULT_DRAWN = 12;
const MOST_PAIRS = 8;
/** Fewer different values have no tails. */
const LEAST_VALUES = 20;
const POINTS = 1500;
/** Rows by which the columns that are shown are chosen. */
const CHOICE_ROWS = 2000;
/** Standard errors that a page holds; the model's file has all. */
const MOST_ERRORS = 1000;

/** Rough shares of the time, for `onProgress`. */
const SHARES: Readonly<Record<ReportStage, number>> = {
  sample: 15,
  density: 20,
  margins: 1,
  pairs: 0,
  kendall: 2,
  tails: 2,
  comparison: 20,
  certificate: 50,
  losses: 0,
  pictures: 10,
};

type Report = (fraction: number) => void;

/** The stages of a report, one after the other. */
export class Stages {
  readonly timings: { stage: ReportStage; seconds: number }[] = [];
  readonly #skip: ReadonlySet<ReportSection>;
  readonly #options: ReportOptions;
  #done = 0;

  constructor(options: ReportOptions, skip: ReadonlySet<ReportSection>) {
    this.#options = options;
    this.#skip = skip;
  }

  async run<T>(stage: ReportStage, work: (report: Report) => Promise<T> | T): Promise<T> {
    const { signal, onProgress } = this.#options;
    signal?.throwIfAborted();
    const total = (Object.keys(SHARES) as ReportStage[])
      .filter((name) => !this.#skip.has(name as ReportSection))
      .reduce((sum, name) => sum + SHARES[name], 0);
    const report = (fraction: number) =>
      tell(onProgress, { stage, fraction: (this.#done + fraction * SHARES[stage]) / total });
    report(0);
    const started = performance.now();
    try {
      return await work(report);
    } finally {
      this.timings.push({ stage, seconds: (performance.now() - started) / 1000 });
      this.#done += SHARES[stage];
    }
  }
}

/** A report's model and rows, checked. */
export interface Plan {
  readonly copula: Copula;
  readonly margins: TableMargins;
  /** The modelled columns of all rows that count. */
  readonly rows: Rows;
  /** Their numbers in the data as given; null: all. */
  readonly kept: Uint32Array | null;
  /** Of these rows a sample without weights. */
  readonly data: Table;
  readonly training: Rows | null;
  readonly errors: 'rows' | 'blocks';
  readonly columns: readonly string[];
  readonly logarithmic: ReadonlySet<string>;
  readonly samples: number;
  readonly seed: bigint;
  readonly skip: ReadonlySet<ReportSection>;
  /** As they were when the report was asked for. */
  readonly options: ReportOptions;
}

/** @throws SklarError ERR_SKLAR_VALUE, ERR_SKLAR_SHAPE; see `report` */
export function planOf(model: Copula | JointDistribution, data: Table, options: ReportOptions): Plan {
  options = expectOptions(options, 'report', reportOptions);
  if (options.title !== undefined) expectText(options.title, 'title');
  const certificate = expectOptions(
    options.certificate ?? {},
    'the certificate of report',
    certificateOptions,
  );
  const copula = expectCopula(model instanceof JointDistribution ? model.copula : model, 'report');
  const { margins } = copula;
  if (!margins) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      'expected a model with margins to report on beside data, got one without',
    );
  }
  if (copula.dim < 2) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a model of at least 2 columns to report on their dependence, got one of ${describe(margins.names[0])} alone ` +
        '(compare says how near its samples are to data)',
    );
  }
  const samples = expectInteger(options.rows ?? ROWS, 'rows', { min: 10, max: 10_000_000 });
  const skip = new Set(
    expectList(options.skip ?? [], 'skip').map((name) =>
      expectOneOf(name, 'a section to skip', reportSections),
    ),
  );
  const seed = resolveSeed(options.seed ?? 1);
  const schema = margins instanceof Margins ? margins.schema : null;
  const rowsOf = (table: Table, weights: Weights | undefined, what: string) => {
    const settled = Table.settled(table, what, (own) =>
      schema ? schema.modelled(own) : own.select(margins.names),
    );
    return weightedTable(settled, weights);
  };
  const { kept, ...rows } = rowsOf(data, options.weights, 'report');
  if (rows.table.rows === 0) {
    throw new SklarError('ERR_SKLAR_SHAPE', 'expected at least one row of data to report on, got none');
  }
  finiteRows(rows.table, 0, rows.table.rows);
  const { train, trainWeights } = options;
  if (trainWeights !== undefined && train === undefined) {
    throw new SklarError('ERR_SKLAR_VALUE', 'expected training rows for trainWeights, got none');
  }
  const errors =
    options.errors === undefined
      ? serialDependence(rows.table)
        ? 'blocks'
        : 'rows'
      : expectOneOf(options.errors, 'errors', ['rows', 'blocks'] as const);
  const indicators = schema?.indicatorNames ?? [];
  const shown = margins.names.filter((name) => !indicators.includes(name));
  const { names, logarithmic } = expectPairColumns(
    options.columns ?? shown.slice(0, DEFAULT_DRAWN),
    options.logarithmic,
    MOST_DRAWN,
  );
  rows.table.select(names);
  return {
    copula,
    margins,
    rows,
    kept,
    data: rows.weights ? rows.table.take(thinnedRows(rows.weights, seed)) : rows.table,
    training: train === undefined ? null : rowsOf(train, trainWeights, 'the training rows of report'),
    errors,
    columns: names,
    logarithmic,
    samples,
    seed,
    skip,
    options: { ...options, certificate },
  };
}

/** Those of correlations are as many as there are pairs of columns. */
function fewErrors(errors: unknown): unknown {
  const count = Object.keys(errors ?? {}).length;
  return count > MOST_ERRORS ? `of ${count} parameters: in the file of the model` : errors;
}

function modelOf({ copula, margins, data }: Plan): ReportNumbers['model'] {
  const { kind, dim, normalised, parameters, config, training } = copula.info();
  const recurring =
    (margins instanceof Margins ? margins.hasAtoms : copula.allNotes.some(({ code }) => code === 'ties')) ||
    data.columns.some((values) => values.some(Number.isNaN));
  const record =
    training &&
    Object.fromEntries(
      Object.entries(training)
        .filter(([key]) => key !== 'history' && key !== 'notes')
        .map(([key, value]) => [key, key === 'standardErrors' ? fewErrors(value) : value]),
    );
  return {
    kind,
    dim,
    normalised,
    columns: margins.names,
    parameters,
    config,
    training: record,
    margins: {
      rows: margins.rows,
      ties: margins.ties,
      types: margins instanceof Margins ? margins.types : margins.names.map(() => 'ranks'),
      recurring,
    },
    notes: copula.allNotes,
    selection: copula.selection,
  };
}

/** The pairs i < j with the largest |tau|, of these columns. */
function strongest(tau: Matrix, most: number, of = (_: number) => true): [number, number][] {
  const d = tau.columns;
  const pairs = Array.from({ length: d }, (_, i) =>
    Array.from({ length: d - i - 1 }, (_, k): [number, number] => [i, i + 1 + k]),
  )
    .flat()
    .filter(([i, j]) => of(i) && of(j));
  const size = ([i, j]: [number, number]) => Math.abs(tau.data[i * d + j]!) || 0;
  return pairs.sort((a, b) => size(b) - size(a)).slice(0, most);
}

type OnCpu = Pick<RunOptions, 'threads' | 'signal'>;

/** The rows that have a cell in each of these columns. */
function complete(table: Table, names: readonly string[] = table.names): Table {
  const own = table.select(names);
  const rows = completeRowsOf(own.columns, own.rows);
  return rows.length === own.rows ? own : own.take(rows);
}

/** Kendall's tau of each pair in the rows that have both cells; NaN where one of them does not vary there. */
async function pairwiseTau(table: Table, run: OnCpu): Promise<Matrix> {
  const { names, columns } = table;
  const d = names.length;
  if (d < 2 || table.rows < 2 || columns.every((values) => !values.some(Number.isNaN) && varies(values)))
    return kendall(table.numbers(), run);
  const tau = new Float64Array(d * d).fill(1);
  for (const [i, j] of strongest(matrix(tau, d, d), d * d)) {
    const pair = complete(table, [names[i]!, names[j]!]).numbers();
    const known = pair.rows > 1 && pair.columns.every(varies);
    tau[i * d + j] = tau[j * d + i] = known ? (await kendall(pair, run)).data[1]! : NaN;
  }
  return matrix(tau, d, d, names);
}

/** Rows of numbers, null where there is none. */
const rowsOfTau = ({ data, columns }: Matrix) =>
  Array.from({ length: columns }, (_, i) =>
    Array.from(data.subarray(i * columns, (i + 1) * columns), (tau) => (Number.isNaN(tau) ? null : tau)),
  );

/** Of too many columns those that are drawn, and then those of the pairs whose tau differs most between data and sample, by some of the rows. */
async function farthest(
  data: Table,
  samples: Table,
  drawn: readonly string[],
  run: OnCpu,
): Promise<ReadonlySet<string>> {
  const { names } = data;
  const chosen = new Set(drawn);
  if (data.rows < 2) return new Set([...chosen, ...names].slice(0, MOST_DEPENDENCE));
  const some = (table: Table) =>
    table.take(chooseRows(table.rows, Math.min(table.rows, CHOICE_ROWS)).toSorted());
  const [of, against] = [await pairwiseTau(some(data), run), await pairwiseTau(some(samples), run)];
  const difference = of.data.map((tau, k) => against.data[k]! - tau);
  for (const pair of strongest(matrix(difference, names.length, names.length), MOST_DEPENDENCE ** 2)) {
    for (const j of pair) if (chosen.size < MOST_DEPENDENCE) chosen.add(names[j]!);
  }
  for (const name of names) if (chosen.size < MOST_DEPENDENCE) chosen.add(name);
  return chosen;
}

/** Whether there are tails: numbers or dates, and not a few of them. */
const hasTails = (table: Table, name: string) =>
  labelsOf(table.type(name)) === null && new Set(table.column(name)).size >= LEAST_VALUES;

/** Rows of density 0 by their numbers in the data as given. */
function impossibleIn(found: ImpossibleRows, margins: Margins, { rows, kept }: Plan): ImpossibleValues {
  const own = kept ? found.rows.map((row) => kept.indexOf(row - 1) + 1) : found.rows;
  const { count, rows: named } = impossibleValues({ count: found.count, rows: own }, margins, rows.table);
  return { count, rows: named.map((one, k) => ({ ...one, row: found.rows[k]! })) };
}

/** Everything but the time that the pictures take. */
export async function gather(plan: Plan, options: ReportOptions, stages: Stages) {
  const { copula, margins, columns, logarithmic, samples: count, seed, skip } = plan;
  const { device, precision, threads, signal } = options;
  const run = { device, precision, threads, signal };
  // ranks are counted and rows compared on the CPU, whatever the model can do
  const onCpu = { threads, signal };
  const { device: place, deviceName } = runRecord(beginRun(run, copula.capabilities.cpuOnly));
  const used = Math.min(plan.data.rows, count);
  const whole = plan.data.take(chooseRows(plan.data.rows, used).toSorted());
  const schema = margins instanceof Margins ? margins.schema : null;
  const modelled = margins.names.filter((name) => !schema?.indicatorNames.includes(name));
  const data = whole.select(modelled);
  const { table: all, weights } = plan.rows;
  const beyond =
    margins instanceof Margins
      ? meanOf(await margins.logPdf(all, onCpu), plan.kept ?? undefined).impossible
      : undefined;
  const absent: { [K in ReportSection]?: string } = {};
  /** What these rows do not allow is left out, with the reason. */
  const section = async <T>(
    name: ReportSection,
    codes: readonly SklarErrorCode[],
    work: (report: Report) => Promise<T> | T,
  ): Promise<T | null> => {
    if (skip.has(name)) {
      absent[name] = 'left out as asked';
      return null;
    }
    try {
      return await stages.run(name, work);
    } catch (error) {
      if (!(error instanceof SklarError) || !codes.includes(error.code)) throw error;
      absent[name] = error.message;
      return null;
    }
  };

  // as `sklar sample` draws them: rows that keep the rules of the data, with missing cells
  const samples = await stages.run('sample', async (report) => {
    const drawing = {
      ...run,
      seed,
      onProgress: ({ rowsDone }: { rowsDone: number }) => report(rowsDone / count),
    };
    if (margins instanceof Margins) {
      const drawn = await new JointDistribution(copula, margins).sample(count, drawing);
      return margins.schema.modelled(drawn).select(modelled);
    }
    return margins.inverse(await copula.sample(count, { ...drawing, dtype: 'float64' }), onCpu);
  });

  const density = await section('density', ['ERR_SKLAR_VALUE', 'ERR_SKLAR_DIVERGED'], () => {
    const rows = chooseRows(all.rows, Math.min(all.rows, count)).toSorted();
    const judged = { table: all.take(rows), weights: weights && takeWeights(weights, rows) };
    return densityNumbers(copula, margins, judged, plan.training, plan.errors, run);
  });
  const ofMargins = await section('margins', [], () =>
    marginNumbers(data, samples, margins, columns, logarithmic),
  );
  const tooFew = ['ERR_SKLAR_VALUE', 'ERR_SKLAR_SHAPE'] as const;
  const needsTau = !['kendall', 'tails', 'pairs'].every((name) => skip.has(name as ReportSection));
  const shown: ReadonlySet<string> =
    modelled.length > MOST_DEPENDENCE && needsTau
      ? await farthest(data, samples, columns, onCpu)
      : new Set(modelled);
  const inOrder = modelled.filter((name) => shown.has(name));
  const [some, others] = [data.select(inOrder), samples.select(inOrder)];
  const tau = needsTau ? await pairwiseTau(some, onCpu).catch(() => null) : null;
  const pairs = await section('pairs', [], () => {
    const among = new Set(columns);
    const found = tau
      ? strongest(tau, MOST_PAIRS, (j) => among.has(inOrder[j]!)).map(
          ([i, j]) => [inOrder[i]!, inOrder[j]!] as const,
        )
      : [[columns[0]!, columns[1]!] as const];
    return { pairs: found, points: Math.min(used, count, POINTS) };
  });
  const taus = await section('kendall', tooFew, async () => ({
    data: tau ?? (await pairwiseTau(some, onCpu)),
    model: await pairwiseTau(others, onCpu),
  }));
  const tails = await section('tails', tooFew, async () => {
    const found: TailNumbers[] = [];
    const of = tau ?? (await pairwiseTau(some, onCpu));
    for (const [i, j] of strongest(of, MOST_TAILS, (k) => hasTails(data, inOrder[k]!))) {
      const names = [inOrder[i]!, inOrder[j]!];
      const [own, drawn] = [complete(data, names).numbers(), complete(samples, names).numbers()];
      const q = tailLevels(Math.min(own.rows, drawn.rows));
      found.push(
        tailNumbers(await tailCurves(own, { ...onCpu, q }), await tailCurves(drawn, { ...onCpu, q }), 0, 1),
      );
    }
    if (found.length > 0) return found;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      'no two columns hold numbers or dates with many different values',
    );
  });
  const comparison = await section('comparison', tooFew, (report) =>
    compare(complete(data), complete(samples), {
      ...onCpu,
      seed,
      onProgress: ({ fraction }) => report(fraction),
    }),
  );
  const certificate = await section('certificate', ['ERR_SKLAR_SHAPE'], async (report) =>
    copula.certify(await margins.transform(await possibleRows(margins, whole, onCpu), onCpu), {
      ...options.certificate,
      ...run,
      seed,
      onProgress: ({ fraction }) => report(fraction),
    }),
  );
  const found = await section('losses', [], () => lossNumbers(copula));
  const losses = found && found.length > 0 ? found : null;
  if (found && !losses) {
    absent.losses =
      'the model has no history of losses: it was not fitted step by step, or its file does not tell';
  }
  const numbers: Omit<ReportNumbers, 'timings'> = {
    libraryVersion: packageVersion(),
    model: modelOf(plan),
    run: { device: place, deviceName },
    rows: { data: plan.data.rows, used, sample: count },
    impossible: beyond ? impossibleIn(beyond, margins as Margins, plan) : null,
    seed: seed.toString(),
    columns: columnNumbers(margins, data, samples),
    density,
    margins: ofMargins,
    pairs,
    kendall: taus && { columns: inOrder, data: rowsOfTau(taus.data), model: rowsOfTau(taus.model) },
    tails,
    comparison,
    certificate,
    losses,
    absent,
  };
  return { numbers, data, samples };
}
