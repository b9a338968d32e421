/** All that a report says, as numbers. */
import type { Certificate, CertificateOptions } from '../copulas/judgement/certificate';
import { type Copula, expectCopula } from '../copulas/copula';
import { type RunOptions, beginRun, runOptions } from '../copulas/inputs/run';
import { type Matrix, matrix, toRows } from '../matrix';
import type { Seed } from '../data/random';
import { type Weights, drawByWeight, expectWeights } from '../data/weights';
import { resolveSeed } from '../data/random';
import { Table } from '../data/table';
import { type RunRecord, runRecord } from '../devices';
import {
  type OptionNames,
  SklarError,
  type SklarErrorCode,
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
import { meanOf } from '../mean';
import type { Note } from '../notes';
import { packageVersion } from '../version';
import { chooseRows } from './charts/axis';
import { type LossNumbers, lossNumbers } from './charts/losses';
import { type MarginNumbers, marginNumbers } from './charts/margins';
import { MOST_COLUMNS, expectPairColumns } from './charts/scatter';
import { type TailNumbers, tailLevels, tailNumbers } from './charts/tails';
import { tell } from '../tell';

/** The sections of a report. */
export const reportSections = [
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
  /** The 2 to 8 columns whose margins and pairs are drawn; default the first ones of the model. */
  columns?: readonly string[];
  /** Of these, columns, all values above 0, whose axis is logarithmic; default none. */
  logarithmic?: readonly string[];
  /** Rows sampled, and rows of the data used at most, chosen at random but the same in every run; default 10,000. */
  rows?: number;
  /** Of the sample, and of what the certificate and the comparison draw; default 1. */
  seed?: Seed;
  /** Of the data, see `CompareOptions.weights`: rows are drawn by them, and all that is shown is of what is left. */
  weights?: Weights | undefined;
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
    readonly margins: { readonly rows: number; readonly ties: string; readonly types: readonly string[] };
    /** What was decided when it was fitted. */
    readonly notes: readonly Note[];
  };
  /** Where the report was computed. */
  readonly run: Pick<RunRecord, 'device' | 'deviceName'>;
  /** Rows of the data, those of them that were used, and rows of the sample. */
  readonly rows: { readonly data: number; readonly used: number; readonly sample: number };
  /** Those of the data with a value that its margin cannot have; null where there are none. */
  readonly impossible: ImpossibleValues | null;
  /** As decimal digits. */
  readonly seed: string;
  /** Of the columns that are drawn. */
  readonly margins: readonly MarginNumbers[] | null;
  /** The columns drawn, and the rows drawn of data and sample each. */
  readonly pairs: { readonly columns: readonly string[]; readonly points: number } | null;
  /** Kendall's tau, columns x columns; of more than 30 those that are drawn and those of the pairs that differ most. */
  readonly kendall: {
    readonly columns: readonly string[];
    readonly data: readonly (readonly number[])[];
    readonly model: readonly (readonly number[])[];
  } | null;
  /** Of the pairs with the largest |tau| in the data, the largest first. */
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
/** Rows by which the columns that are shown are chosen. */
const CHOICE_ROWS = 2000;
/** Standard errors that a page holds; the model's file has all. */
const MOST_ERRORS = 1000;
/** Marks of each of the two pair plots, at most about. */
const MOST_MARKS = 10_000;

/** Rough shares of the time, for `onProgress`. */
const SHARES: Readonly<Record<ReportStage, number>> = {
  sample: 15,
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
  readonly data: Table;
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
  const samples = expectInteger(options.rows ?? ROWS, 'rows', { min: 10, max: 10_000_000 });
  const skip = new Set(
    expectList(options.skip ?? [], 'skip').map((name) =>
      expectOneOf(name, 'a section to skip', reportSections),
    ),
  );
  const seed = resolveSeed(options.seed ?? 1);
  const { weights } = options;
  if (weights !== undefined) expectWeights(weights, data.rows);
  const own = Table.settled(data, 'report', (table) =>
    (weights === undefined ? table : table.take(drawByWeight(weights, seed))).select(margins.names),
  );
  if (own.rows === 0) {
    throw new SklarError('ERR_SKLAR_SHAPE', 'expected at least one row of data to report on, got none');
  }
  const { names, logarithmic } = expectPairColumns(
    options.columns ?? withoutIndicators(own, margins).names.slice(0, MOST_COLUMNS),
    options.logarithmic,
  );
  data.select(names);
  return {
    copula,
    margins,
    data: own,
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

function modelOf(copula: Copula, margins: TableMargins): ReportNumbers['model'] {
  const { kind, dim, normalised, parameters, config, training } = copula.info();
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
    },
    notes: copula.allNotes,
  };
}

/** The pairs i < j with the largest |tau|. */
function strongest(tau: Matrix, most: number): [number, number][] {
  const d = tau.columns;
  const pairs = Array.from({ length: d }, (_, i) =>
    Array.from({ length: d - i - 1 }, (_, k): [number, number] => [i, i + 1 + k]),
  ).flat();
  const size = ([i, j]: [number, number]) => Math.abs(tau.data[i * d + j]!);
  return pairs.sort((a, b) => size(b) - size(a)).slice(0, most);
}

/**
 * Of too many columns those that are drawn, and then those of the pairs whose tau differs most between data and sample, by some
 * of the rows; the first ones where a column is constant.
 */
async function farthest(
  data: Table,
  samples: Table,
  drawn: readonly string[],
  run: Pick<RunOptions, 'threads' | 'signal'>,
): Promise<string[]> {
  const { names } = data;
  const chosen = new Set(drawn);
  const some = (table: Table) =>
    table.take(chooseRows(table.rows, Math.min(table.rows, CHOICE_ROWS)).toSorted());
  try {
    const [of, against] = [await kendall(some(data), run), await kendall(some(samples), run)];
    const difference = of.data.map((tau, k) => against.data[k]! - tau);
    for (const pair of strongest(matrix(difference, names.length, names.length), MOST_DEPENDENCE ** 2)) {
      for (const j of pair) if (chosen.size < MOST_DEPENDENCE) chosen.add(names[j]!);
    }
  } catch (error) {
    if (!(error instanceof SklarError) || !['ERR_SKLAR_VALUE', 'ERR_SKLAR_SHAPE'].includes(error.code))
      throw error;
  }
  for (const name of names) if (chosen.size < MOST_DEPENDENCE) chosen.add(name);
  return [...chosen];
}

/** The rows of which no cell is missing, without the columns that say so: those that data and samples are compared by. */
function withoutIndicators(table: Table, margins: TableMargins): Table {
  const names = margins instanceof Margins ? margins.schema.indicatorNames : [];
  if (names.length === 0) return table;
  const is = names.map((name) => table.column(name));
  const rows = Array.from({ length: table.rows }, (_, i) => i).filter((i) => is.every((one) => one[i] === 0));
  return table.take(rows).exclude(names);
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
  const data = withoutIndicators(whole, margins);
  const beyond =
    margins instanceof Margins ? meanOf(await margins.logPdf(plan.data, onCpu)).impossible : undefined;
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

  const sample = await stages.run('sample', (report) =>
    copula.sample(count, {
      ...run,
      seed,
      dtype: 'float64',
      onProgress: ({ rowsDone }) => report(rowsDone / count),
    }),
  );
  const samples = withoutIndicators(await margins.inverse(sample, onCpu), margins);

  const ofMargins = await section('margins', [], () =>
    marginNumbers(data, samples, margins, columns, logarithmic),
  );
  const grids = (columns.length * (columns.length - 1)) / 2;
  const pairs = await section('pairs', [], () => ({
    columns,
    points: Math.min(used, count, 1000, Math.floor(MOST_MARKS / grids)),
  }));

  const tooFew = ['ERR_SKLAR_VALUE', 'ERR_SKLAR_SHAPE'] as const;
  const shown = new Set(
    data.names.length > MOST_DEPENDENCE && !(skip.has('kendall') && skip.has('tails'))
      ? await farthest(data.numbers(), samples.numbers(), columns, onCpu)
      : data.names,
  );
  const inOrder = data.names.filter((name) => shown.has(name));
  const [some, others] = [data.select(inOrder).numbers(), samples.select(inOrder).numbers()];
  const taus = await section('kendall', tooFew, async () => ({
    data: await kendall(some, onCpu),
    model: await kendall(others, onCpu),
  }));
  const tails = await section('tails', tooFew, async () => {
    const q = tailLevels(Math.min(used, count));
    const [ofData, ofModel] = [
      await tailCurves(some, { ...onCpu, q }),
      await tailCurves(others, { ...onCpu, q }),
    ];
    const tau = taus?.data ?? (await kendall(some, onCpu));
    return strongest(tau, MOST_TAILS).map(([i, j]) => tailNumbers(ofData, ofModel, i, j));
  });
  const comparison = await section('comparison', tooFew, (report) =>
    compare(data, samples, { ...onCpu, seed, onProgress: ({ fraction }) => report(fraction) }),
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
    model: modelOf(copula, margins),
    run: { device: place, deviceName },
    rows: { data: plan.data.rows, used, sample: count },
    impossible: beyond ? impossibleValues(beyond, margins as Margins, plan.data) : null,
    seed: seed.toString(),
    margins: ofMargins,
    pairs,
    kendall: taus && { columns: inOrder, data: toRows(taus.data), model: toRows(taus.model) },
    tails,
    comparison,
    certificate,
    losses,
    absent,
  };
  return { numbers, data, samples };
}
