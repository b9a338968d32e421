/**
 * Whatever is given for an argument or an option of whatever is exported, the answer is a result or a SklarError: thrown where the
 * function is not asynchronous, a rejection where it is. What the caller's own getters and proxies throw goes through as it is.
 */
import * as sklar from '../lib';
import { SklarError } from '../lib/errors';
import { TemporaryFolder } from './data/support';
import { publicCalls } from './helpers/public-names';

const folder = new TemporaryFolder();

/** What getters and proxies of the test throw. */
class Own extends Error {}
const throwing = (): never => {
  throw new Own('of the caller');
};

function detached(): Float64Array {
  const values = new Float64Array(80).fill(0.5);
  structuredClone(values.buffer, { transfer: [values.buffer] });
  return values;
}

const holes = (): unknown[] => {
  const list: unknown[] = [0.5, 0.25];
  list[5] = 0.75;
  return list;
};

/** Each is made anew for each call. */
const hostile: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  NaN: () => NaN,
  Infinity: () => Infinity,
  '-1': () => -1,
  '0.5': () => 0.5,
  'too large': () => 2 ** 53,
  'empty text': () => '',
  text: () => 'x',
  true: () => true,
  symbol: () => Symbol('s'),
  bigint: () => 10n,
  function: () => () => 1,
  'empty array': () => [],
  'array of symbols': () => [Symbol('a'), Symbol('b')],
  'array of arrays of texts': () => [
    ['a', 'b'],
    ['c', 'd'],
  ],
  'array of nulls': () => [null, undefined],
  'array with holes': holes,
  'empty object': () => ({}),
  'object without prototype': () => Object.assign(Object.create(null) as object, { a: Symbol('a') }),
  map: () => new Map([['a', 1]]),
  set: () => new Set([1]),
  date: () => new Date(NaN),
  promise: () => Promise.resolve(1),
  table: () => models.table,
  'a false table': () => Object.create(sklar.Table.prototype) as unknown,
  copula: () => models.gaussian,
  margins: () => models.joint.margins,
  frozen: () => Object.freeze([Object.freeze({ a: 1 })]),
  'proxy that throws': () =>
    new Proxy({}, { get: throwing, has: throwing, ownKeys: throwing, getPrototypeOf: throwing }),
  'getters that throw': () =>
    Object.defineProperties(
      {},
      Object.fromEntries(
        ['data', 'rows', 'columns', 'length', 'kind', 'threads', 'seed', 'signal', '0'].map((name) => [
          name,
          { get: throwing, enumerable: true },
        ]),
      ),
    ),
  'toString that throws': () => ({ toString: throwing, valueOf: throwing }),
  integers: () => new Int32Array(4),
  bigintegers: () => new BigInt64Array(4),
  bytes: () => new Uint8ClampedArray(80),
  floats: () => new Float32Array(80).fill(0.25),
  detached,
  shared: () => new Float64Array(new SharedArrayBuffer(640)),
  resizable: () => {
    const buffer = new (
      ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer & { resize(n: number): void }
    )(640, { maxByteLength: 1280 });
    const values = new Float64Array(buffer, 0, 80);
    buffer.resize(8);
    return values;
  },
  buffer: () => new ArrayBuffer(8),
  view: () => new DataView(new ArrayBuffer(64)),
  'false matrix': () => ({ data: new Float64Array(3), rows: 1e15, columns: 3 }),
  'endless iterable': () => ({ [Symbol.iterator]: () => ({ next: () => ({ done: true }) }) }),
  'array-like of no end': () => ({ length: 2 ** 53 - 1 }),
  'array-like of NaN': () => ({ length: NaN }),
};

interface Row {
  /** Arguments with which it succeeds; the last one are the options, where it has any. */
  readonly valid: () => unknown[];
  readonly call: (...given: never[]) => unknown;
  /** Whether the last argument are options. */
  readonly options: boolean;
  /** Options whose absence would mean a long run: they are never left out. */
  readonly bounding: readonly string[];
  /** Ended at its first step, once it is seen to succeed. */
  readonly cut: boolean;
}

function row(
  call: (...given: never[]) => unknown,
  valid: () => unknown[],
  { options = false, bounding = [] as readonly string[], cut = false } = {},
): Row {
  return { call, valid, options, bounding, cut };
}
/** Of one with options. */
const withOptions = (call: Row['call'], valid: () => unknown[], bounding: readonly string[] = []) =>
  row(call, valid, { options: true, bounding });

/** Of one that takes long: the first step is enough, and then its callback throws. */
const fit = (call: Row['call'], valid: () => unknown[]) => row(call, valid, { options: true, cut: true });

let models: Awaited<ReturnType<typeof prepare>>;

const quick = { hidden: 4, depth: 1, steps: 1, batch: 8 };
const u = sklar.fromRows(
  Array.from({ length: 40 }, (_, i) => [((i * 7) % 41) + 1, ((i * 11) % 41) + 1].map((k) => k / 42)),
  ['a', 'b'],
);

async function prepare() {
  const table = sklar.Table.fromMatrix(u);
  const file = folder.file('table.csv', 'a,b\n1,2\n3,4\n5,4.5\n');
  const gaussian = await sklar.fitCopula(u, { kind: 'gaussian' });
  const model = folder.file('model.safetensors');
  const joint = await sklar.fitJoint(table, { copula: { kind: 'gaussian' } });
  await joint.save(model);
  const holey = new sklar.Table(['a', 'b'], [Float64Array.of(0.5, NaN, 0.7), Float64Array.of(0.2, 0.1, NaN)]);
  return {
    table,
    file,
    model,
    holey,
    gaussian,
    joint,
    student: new sklar.StudentCopula(Float64Array.of(1, 0.5, 0.5, 1), 2, 4),
    empirical: new sklar.EmpiricalBetaCopula(Float64Array.of(1, 2, 2, 1, 3, 3), 2),
    closed: sklar.ClosedFormCopula.fgm({ dim: 3, theta: 1 }),
    cdc: await sklar.fitCopula(u, quick),
    flow: await sklar.fitCopula(u, { kind: 'flow', ...quick }),
    potential: await sklar.fitCopula(u, { kind: 'potential', ...quick }),
    ensemble: await sklar.fitEnsemble(u, { kind: 'cdc', models: 1, ...quick }),
    ranks: await sklar.PseudoObservations.fit(table),
    schema: sklar.TableSchema.infer(table),
    margin: sklar.fitMargin(table.column('a'), 'kde'),
    reader: await sklar.TableReader.open(file),
    imputation: await joint.impute(holey, { draws: 2 }),
  };
}

let written = 0;
const out = (ending: string) => folder.file(`out-${written++}.${ending}`);
const next = (generator: AsyncGenerator<unknown>) => generator.next();

/** Of all that `publicCalls` finds: how it is called, and with what it succeeds. Null: it takes nothing. */
const rows: Record<string, Row | null> = {
  'new SklarError': row(
    (...g: never[]) => new sklar.SklarError(...(g as never as [never, never])),
    () => ['ERR_SKLAR_VALUE', 'x'],
  ),
  devices: null,
  normalCdf: row(sklar.normalCdf, () => [Float64Array.of(0)]),
  normalQuantile: row(sklar.normalQuantile, () => [Float64Array.of(0.5)]),
  column: row(sklar.column, () => [u, 0]),
  fromRows: row(sklar.fromRows, () => [
    [
      [1, 2],
      [3, 4],
    ],
    ['a', 'b'],
  ]),
  matrix: row(sklar.matrix, () => [Float64Array.of(1, 2), 1, 2, ['a', 'b']]),
  toRows: row(sklar.toRows, () => [u]),
  'new Table': row(
    (...g: never[]) => new sklar.Table(...(g as never as [never, never])),
    () => [
      ['a', 'b'],
      [Float64Array.of(1), Float64Array.of(2)],
      ['float', { type: 'integer' }],
    ],
  ),
  'static Table.fromColumns': row(
    (g: never) => sklar.Table.fromColumns(g),
    () => [{ a: [1, 2, null], b: ['x', 'y', 'z'] }],
  ),
  'static Table.fromMatrix': row(
    (...g: never[]) => sklar.Table.fromMatrix(...(g as never as [never])),
    () => [u, ['float', 'float']],
  ),
  'Table.column': row(
    (g: never) => models.table.column(g),
    () => ['a'],
  ),
  'Table.type': row(
    (g: never) => models.table.type(g),
    () => ['a'],
  ),
  'Table.kind': row(
    (g: never) => models.table.kind(g),
    () => ['a'],
  ),
  'Table.text': row(
    (a: never, b: never) => models.table.text(a, b),
    () => ['a', 1],
  ),
  'Table.select': row(
    (g: never) => models.table.select(g),
    () => [['a']],
  ),
  'Table.exclude': row(
    (g: never) => models.table.exclude(g),
    () => [['a']],
  ),
  'Table.take': row(
    (g: never) => models.table.take(g),
    () => [[0, 1]],
  ),
  'Table.toMatrix': null,
  'static TableSchema.infer': withOptions(
    (a: never, b: never) => sklar.TableSchema.infer(a, b),
    () => [models.table, { missing: 'impute', returns: { method: 'log', columns: ['a'], by: null } }],
  ),
  'static TableSchema.plain': row(
    (a: never, b: never) => sklar.TableSchema.plain(a, b),
    () => [
      ['a', 'b'],
      [{ type: 'number' }, { type: 'category', labels: ['x', 'y'] }],
    ],
  ),
  'static TableSchema.fromJSON': row(
    (g: never) => sklar.TableSchema.fromJSON(g),
    () => [models.schema.toJSON()],
  ),
  'TableSchema.modelled': row(
    (g: never) => models.schema.modelled(g),
    () => [models.table],
  ),
  'TableSchema.restore': withOptions(
    (a: never, b: never) => models.schema.restore(a, b),
    () => [models.table, {}],
  ),
  'TableSchema.toJSON': null,
  readTable: withOptions(sklar.readTable, () => [models.file, {}]),
  'static TableReader.open': withOptions(
    async (a: never, b: never) => (await sklar.TableReader.open(a, b)).close(),
    () => [models.file, {}],
  ),
  'TableReader.batches': withOptions(
    (g: never) => next(models.reader.batches(g)),
    () => [{ rows: 2 }],
  ),
  'TableReader.close': null,
  'static TableWriter.open': withOptions(
    async (a: never, b: never, c: never) => (await sklar.TableWriter.open(a, b, c)).abort(),
    () => [out('csv'), ['a', 'b'], { types: ['float', 'float'] }],
  ),
  'TableWriter.append': row(
    async (g: never) => {
      const writer = await sklar.TableWriter.open(out('csv'), ['a', 'b']);
      await writer.append(g).finally(() => writer.abort());
    },
    () => [u],
  ),
  'TableWriter.close': null,
  'TableWriter.abort': null,
  writeTable: row(sklar.writeTable, () => [models.table, out('csv')]),
  inspectTable: withOptions(sklar.inspectTable, () => [models.table, {}]),
  splitRows: row(sklar.splitRows, () => [10, 0.2, 1, 'random', [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]]),
  toReturns: withOptions(sklar.toReturns, () => [models.table, { columns: ['a'] }]),
  serialDependence: row(sklar.serialDependence, () => [models.table]),
  'static PseudoObservations.fit': withOptions(
    (a: never, b: never) => sklar.PseudoObservations.fit(a, b),
    () => [models.table, {}],
  ),
  'PseudoObservations.transformTrain': null,
  'PseudoObservations.trainingBlocks': null,
  'PseudoObservations.forgetTraining': null,
  'LevelColumns.transform': withOptions(
    (a: never, b: never) => models.joint.margins.transform(a, b),
    () => [models.table, {}],
  ),
  'LevelColumns.inverse': withOptions(
    (a: never, b: never) => models.ranks.inverse(a, b),
    () => [u, {}],
  ),
  'LevelColumns.cells': withOptions(
    (a: never, b: never) => models.ranks.cells(a, b),
    () => [models.table, {}],
  ),
  'Margin.cdf': row(
    (g: never) => models.margin.cdf(g),
    () => [Float64Array.of(0.5)],
  ),
  'Margin.cdfBefore': row(
    (g: never) => models.margin.cdfBefore(g),
    () => [Float64Array.of(0.5)],
  ),
  'Margin.survival': row(
    (g: never) => models.margin.survival(g),
    () => [Float64Array.of(0.5)],
  ),
  'Margin.quantile': row(
    (g: never) => models.margin.quantile(g),
    () => [Float64Array.of(0.5)],
  ),
  'Margin.logPdf': row(
    (g: never) => models.margin.logPdf(g),
    () => [Float64Array.of(0.5)],
  ),
  'Margin.returnLevels': row(
    (g: never) => models.margin.returnLevels(g),
    () => [Float64Array.of(10)],
  ),
  'Margin.toJSON': null,
  fitMargin: withOptions(sklar.fitMargin, () => [u.data.slice(), { type: 'kde' }, { column: 'a' }]),
  marginFromJSON: row(sklar.marginFromJSON, () => [structuredClone(models.margin.toJSON())]),
  'static Margins.fit': withOptions(
    (a: never, b: never) => sklar.Margins.fit(a, b),
    () => [models.table, { margins: { a: 'normal', b: { type: 'kde' } } }],
  ),
  'Margins.margin': row(
    (g: never) => models.joint.margins.margin(g),
    () => ['a'],
  ),
  'Margins.logPdf': withOptions(
    (a: never, b: never) => models.joint.margins.logPdf(a, b),
    () => [models.table, {}],
  ),
  'Copula.logPdf': withOptions(
    (a: never, b: never) => models.flow.logPdf(a, b),
    () => [u, { steps: 2 }],
  ),
  'Copula.logPdfCells': withOptions(
    (a: never, b: never, c: never) => models.cdc.logPdfCells(a, b, c),
    () => [u, u, { cellPoints: 2 }],
  ),
  'Copula.sample': withOptions(
    (a: never, b: never) => models.cdc.sample(a, b),
    () => [3, { margins: 'raw', steps: 2 }],
    ['margins'],
  ),
  'Copula.sampleStream': withOptions(
    (a: never, b: never) => next(models.gaussian.sampleStream(a, b)),
    () => [3, { batch: 2 }],
  ),
  'Copula.sampleConditional': withOptions(
    (a: never, b: never, c: never) => models.cdc.sampleConditional(a, b, c),
    () => [{ a: 0.5 }, 3, { particles: 16, islands: 2 }],
    ['particles'],
  ),
  'Copula.probability': withOptions(
    (a: never, b: never) => models.gaussian.probability(a, b),
    () => [(row: Float64Array) => row[0]! - 0.5, { particles: 1000 }],
    ['particles'],
  ),
  'Copula.sampleWhere': withOptions(
    (a: never, b: never, c: never) => models.gaussian.sampleWhere(a, b, c),
    () => [(row: Float64Array) => row[0]! - 0.5, 3, { particles: 1000 }],
    ['particles'],
  ),
  'Copula.save': row(
    (g: never) => models.gaussian.save(g),
    () => [out('safetensors')],
  ),
  'Copula.certify': withOptions(
    (a: never, b: never) => models.gaussian.certify(a, b),
    () => [u, { sampleRows: 100, routeRows: 4 }],
    ['sampleRows', 'routeRows'],
  ),
  'Copula.info': null,
  'Copula.dispose': null,
  hasField: row(sklar.hasField, () => [models.gaussian]),
  'CdcCopula.field': withOptions(
    (a: never, b: never) => models.cdc.field(a, b),
    () => [u, { level: 0 }],
  ),
  'CdcCopula.logPdfAtLevel': withOptions(
    (a: never, b: never, c: never) => models.cdc.logPdfAtLevel(a, b, c),
    () => [u, 0, {}],
  ),
  'CdcCopula.logits': withOptions(
    (a: never, b: never) => models.cdc.logits(a, b),
    () => [u, {}],
  ),
  'CdcCopula.transport': withOptions(
    (a: never, b: never) => models.cdc.transport(a, b),
    () => [u, { steps: 2 }],
    ['steps'],
  ),
  'CdcCopula.estimateNormaliser': withOptions(
    (g: never) => models.cdc.estimateNormaliser(g),
    () => [{ particles: 16, islands: 2, moves: 1 }],
    ['particles', 'moves'],
  ),
  'CdcCopula.fieldHandle': null,
  'PotentialCopula.logPdfAtTime': withOptions(
    (a: never, b: never, c: never) => models.potential.logPdfAtTime(a, b, c),
    () => [u, 0.5, {}],
  ),
  'PotentialCopula.estimateNormaliser': withOptions(
    (g: never) => models.potential.estimateNormaliser(g),
    () => [{ particles: 16, islands: 2, moves: 1 }],
    ['particles', 'moves'],
  ),
  'new EnsembleCopula': row(
    (g: never) => new sklar.EnsembleCopula(g),
    () => [[models.student, models.student]],
  ),
  'EnsembleCopula.estimateNormaliser': withOptions(
    (g: never) => models.ensemble.estimateNormaliser(g),
    () => [{ particles: 16, islands: 2, moves: 1 }],
    ['particles', 'moves'],
  ),
  'VelocityCopula.fieldHandle': null,
  exportOnnx: withOptions(sklar.exportOnnx, () => [models.gaussian, out('onnx'), { what: 'density' }]),
  'new GaussianCopula': row(
    (a: never, b: never) => new sklar.GaussianCopula(a, b),
    () => [Float64Array.of(1, 0.5, 0.5, 1), 2],
  ),
  'GaussianCopula.fieldHandle': null,
  'GaussianCopula.marginal': row(
    (g: never) => models.gaussian.marginal(g),
    () => [[1, 0]],
  ),
  'ClassicalCopula.pdf': withOptions(
    (a: never, b: never) => models.student.pdf(a, b),
    () => [u, {}],
  ),
  'ClassicalCopula.cdf': withOptions(
    (a: never, b: never) => models.student.cdf(a, b),
    () => [u, {}],
  ),
  'ClassicalCopula.cdfWithErrors': withOptions(
    (a: never, b: never) => models.student.cdfWithErrors(a, b),
    () => [u, {}],
  ),
  'ClassicalCopula.hfunc1': withOptions(
    (a: never, b: never) => models.student.hfunc1(a, b),
    () => [u, {}],
  ),
  'ClassicalCopula.hfunc2': withOptions(
    (a: never, b: never) => models.student.hfunc2(a, b),
    () => [u, {}],
  ),
  'ClassicalCopula.hinv1': withOptions(
    (a: never, b: never) => models.student.hinv1(a, b),
    () => [u, {}],
  ),
  'ClassicalCopula.hinv2': withOptions(
    (a: never, b: never) => models.student.hinv2(a, b),
    () => [u, {}],
  ),
  'ClassicalCopula.rosenblatt': withOptions(
    (a: never, b: never) => models.student.rosenblatt(a, b),
    () => [u, {}],
  ),
  'ClassicalCopula.inverseRosenblatt': withOptions(
    (a: never, b: never) => models.student.inverseRosenblatt(a, b),
    () => [u, {}],
  ),
  'ClassicalCopula.tau': row(
    (a: never, b: never) => models.student.tau(a, b),
    () => [0, 1],
  ),
  'ClassicalCopula.tailDependence': row(
    (a: never, b: never) => models.student.tailDependence(a, b),
    () => [0, 1],
  ),
  parameterOfTau: row(sklar.parameterOfTau, () => ['clayton', 0.5]),
  'new EmpiricalBetaCopula': row(
    (a: never, b: never) => new sklar.EmpiricalBetaCopula(a, b),
    () => [Float64Array.of(1, 2, 2, 1), 2],
  ),
  'EmpiricalBetaCopula.marginal': row(
    (g: never) => models.empirical.marginal(g),
    () => [[1, 0]],
  ),
  'new FamilyCopula': withOptions(
    (a: never, b: never, c: never) => new sklar.FamilyCopula(a, b, c),
    () => ['clayton', { theta: 2 }, { dim: 2, rotation: 90 }],
  ),
  'new StudentCopula': row(
    (a: never, b: never, c: never) => new sklar.StudentCopula(a, b, c),
    () => [Float64Array.of(1, 0.5, 0.5, 1), 2, 4],
  ),
  'StudentCopula.marginal': row(
    (g: never) => models.student.marginal(g),
    () => [[1, 0]],
  ),
  'static ClosedFormCopula.gaussianMixture': withOptions(
    (g: never) => sklar.ClosedFormCopula.gaussianMixture(g),
    () => [
      {
        weights: [0.5, 0.5],
        correlations: [1, 2].map(() => [
          [1, 0.5],
          [0.5, 1],
        ]),
      },
    ],
  ),
  'static ClosedFormCopula.fgm': withOptions(
    (g: never) => sklar.ClosedFormCopula.fgm(g),
    () => [{ dim: 3, theta: 1, columns: [0, 1] }],
  ),
  'static ClosedFormCopula.cosine': withOptions(
    (g: never) => sklar.ClosedFormCopula.cosine(g),
    () => [{ terms: [{ amplitude: 0.5, frequencies: [1, 2] }] }],
  ),
  'ClosedFormCopula.fieldHandle': row(
    (g: never) => models.closed.fieldHandle(g),
    () => ['ou'],
  ),
  'ClosedFormCopula.marginal': row(
    (g: never) => models.closed.marginal(g),
    () => [[1, 0]],
  ),
  fitCopula: fit(sklar.fitCopula, () => [
    u,
    {
      kind: 'flow',
      ...quick,
      margins: models.ranks,
      names: ['a', 'b'],
      blocks: [new Float64Array(0), new Float64Array(0)],
    },
  ]),
  fitBest: fit(sklar.fitBest, () => [u, { candidates: [{ kind: 'gaussian' }], folds: 2 }]),
  fitEnsemble: fit(sklar.fitEnsemble, () => [u, { kind: 'flow', models: 1, ...quick }]),
  loadModel: withOptions(sklar.loadModel, () => [models.model, { published: {} }]),
  'new JointDistribution': row(
    (a: never, b: never) => new sklar.JointDistribution(a, b),
    () => [new sklar.StudentCopula(Float64Array.of(1, 0.5, 0.5, 1), 2, 4), models.joint.margins],
  ),
  'JointDistribution.logPdf': withOptions(
    (a: never, b: never) => models.joint.logPdf(a, b),
    () => [models.table, {}],
  ),
  'JointDistribution.logPdfStream': withOptions(
    (a: never, b: never) => next(models.joint.logPdfStream(a, b)),
    () => [[models.table], {}],
  ),
  'JointDistribution.sample': withOptions(
    (a: never, b: never) => models.joint.sample(a, b),
    () => [3, {}],
  ),
  'JointDistribution.sampleStream': withOptions(
    (a: never, b: never) => next(models.joint.sampleStream(a, b)),
    () => [3, { batch: 2 }],
  ),
  'JointDistribution.sampleConditional': withOptions(
    (a: never, b: never, c: never) => models.joint.sampleConditional(a, b, c),
    () => [{ b: { above: 0.1, below: 0.9 } }, 3, {}],
  ),
  'JointDistribution.sampleWhere': withOptions(
    (a: never, b: never, c: never) => models.joint.sampleWhere(a, b, c),
    () => ['a > 0.5', 3, {}],
  ),
  'JointDistribution.probability': withOptions(
    (a: never, b: never) => models.joint.probability(a, b),
    () => ['a > 0.5', { particles: 1000, draws: 100 }],
    ['particles', 'draws'],
  ),
  'JointDistribution.impute': withOptions(
    (a: never, b: never) => models.joint.impute(a, b),
    () => [models.holey, { draws: 1 }],
  ),
  'JointDistribution.cdf': withOptions(
    (a: never, b: never) => models.joint.cdf(a, b),
    () => [models.table, { samples: 10 }],
    ['samples'],
  ),
  'JointDistribution.save': row(
    (g: never) => models.joint.save(g),
    () => [out('safetensors')],
  ),
  'JointDistribution.dispose': null,
  fitJoint: fit(sklar.fitJoint, () => [
    models.table,
    { copula: { kind: 'cdc', ...quick }, margins: { a: 'normal' } },
  ]),
  loadJoint: withOptions(sklar.loadJoint, () => [models.model, {}]),
  stackImputations: row(sklar.stackImputations, () => [models.imputation.tables]),
  integrate: withOptions(sklar.integrate, () => [models.gaussian, { rows: 3, steps: 2 }], ['steps']),
  blomqvist: withOptions(sklar.blomqvist, () => [u, {}]),
  kendall: withOptions(sklar.kendall, () => [u, {}]),
  spearman: withOptions(sklar.spearman, () => [u, {}]),
  mutualInformation: withOptions(sklar.mutualInformation, () => [
    models.gaussian,
    u,
    { a: [0], b: [1], marginals: [null, null] },
  ]),
  tailCurves: withOptions(sklar.tailCurves, () => [u, { q: [0.5] }]),
  totalCorrelation: withOptions(sklar.totalCorrelation, () => [models.cdc, u, { draws: 1 }]),
  meanOf: row(sklar.meanOf, () => [Float64Array.of(1, 2), [0, 1], 'rows']),
  classifierAuc: withOptions(sklar.classifierAuc, () => [u, u, { folds: 2 }]),
  cramerVonMises: withOptions(sklar.cramerVonMises, () => [u, u, {}]),
  closestRows: withOptions(sklar.closestRows, () => [u, u, {}]),
  drawByWeight: row(sklar.drawByWeight, () => [[1, 2, 3], 1]),
  energyDistance: withOptions(sklar.energyDistance, () => [u, u, { permutations: 2 }]),
  kolmogorovSmirnov: withOptions(sklar.kolmogorovSmirnov, () => [u, u, {}]),
  mmd: withOptions(sklar.mmd, () => [u, u, { permutations: 2, bandwidths: [1] }]),
  slicedWasserstein: withOptions(sklar.slicedWasserstein, () => [u, u, {}]),
  kendallError: withOptions(sklar.kendallError, () => [u, u, {}]),
  tailError: withOptions(sklar.tailError, () => [u, u, { q: [0.9] }]),
  compare: withOptions(
    sklar.compare,
    () => [u, u, { metrics: ['ks'], reference: u, permutations: 2, rows: 20 }],
    ['metrics'],
  ),
  pairPlot: withOptions(sklar.pairPlot, () => [
    models.table,
    models.table,
    { columns: ['a', 'b'], logarithmic: ['a'] },
  ]),
  kendallHeatMap: withOptions(sklar.kendallHeatMap, () => [
    sklar.fromRows(
      [
        [1, 0.5],
        [0.5, 1],
      ],
      ['a', 'b'],
    ),
    {},
  ]),
  lossPlot: withOptions(sklar.lossPlot, () => [
    [
      {
        bestStep: 1,
        points: [
          { step: 1, loss: 1, validationLoss: null },
          { step: 2, loss: 0.5, validationLoss: 1 },
        ],
      },
    ],
    { title: 'losses' },
  ]),
  densityPlot: withOptions(sklar.densityPlot, () => [marginNumbers(), { title: 'density' }]),
  quantilePlot: withOptions(sklar.quantilePlot, () => [marginNumbers(), { title: 'quantiles' }]),
  tailPlot: withOptions(sklar.tailPlot, () => [
    {
      columns: ['a', 'b'],
      points: [
        { tail: 'lower', q: 0.1, data: 0.2, dataError: 0.1, model: 0.2, modelError: 0.1 },
        { tail: 'upper', q: 0.9, data: 0.2, dataError: 0.1, model: 0.2, modelError: 0.1 },
      ],
    },
    { title: 'tails' },
  ]),
  report: withOptions(
    sklar.report,
    () => [
      models.joint,
      models.table,
      {
        rows: 20,
        columns: ['a', 'b'],
        skip: ['density', 'margins', 'pairs', 'tails', 'comparison'],
        certificate: { routeRows: 4, sampleRows: 100, tolerance: 0.1 },
        title: 'x',
      },
    ],
    ['rows', 'skip', 'certificate', 'sampleRows', 'routeRows'],
  ),
};

function marginNumbers(): sklar.MarginNumbers {
  return {
    column: 'a',
    type: 'kde',
    axis: { scale: 'linear', centre: 0, unit: 1, holds: 'number' },
    missing: { data: 0, model: 0 },
    bars: [],
    bins: [
      { from: 0, to: 1, data: 0.5, model: 0.5 },
      { from: 1, to: 2, data: 0.5, model: 0.5 },
    ],
    quantiles: [
      { level: 0.1, data: 0.2, model: 0.2, low: null, high: 0.3 },
      { level: 0.9, data: 1.8, model: 1.8, low: 1.7, high: null },
    ],
  };
}

/** Copies of a value, each with one part of it replaced, at most `depth` levels down. */
function* mutations(
  value: unknown,
  path: string,
  depth: number,
  bounding: readonly string[],
  more: readonly string[] = [],
): Generator<[path: string, make: (bad: unknown) => unknown, bounds: boolean]> {
  yield [path, (bad) => bad, bounding.includes(path.split('.').at(-1)!)];
  if (depth === 0) return;
  if (Array.isArray(value)) {
    const list = value as unknown[];
    for (const [i, part] of list.slice(0, 2).entries()) {
      for (const [inner, make, bounds] of mutations(part, `${path}.${i}`, depth - 1, bounding)) {
        yield [inner, (bad) => list.map((old, k) => (k === i ? make(bad) : old)), bounds];
      }
    }
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const proto: unknown = Object.getPrototypeOf(value);
  if (proto !== Object.prototype) return;
  const object = value as Record<string, unknown>;
  for (const name of new Set([...Object.keys(object), ...more])) {
    for (const [inner, make, bounds] of mutations(object[name], `${path}.${name}`, depth - 1, bounding)) {
      yield [inner, (bad) => ({ ...object, [name]: make(bad) }), bounds];
    }
  }
}

/** Names of options, as the error about an unknown one lists them. */
async function optionsOf({ call, valid }: Row): Promise<string[]> {
  const given = valid();
  try {
    await (call as (...all: unknown[]) => unknown)(...given.slice(0, -1), {
      ...(given.at(-1) as object),
      noSuch: 1,
    });
  } catch (error) {
    const list = /\(options: (.*)\)$/.exec((error as Error).message)?.[1];
    if (list !== undefined) return list.split(', ').filter((name) => name !== 'none');
  }
  throw new Error('expected an error that lists the options');
}

/** Whether it is an object of options; a proxy may not say. */
function isPlain(value: unknown): value is object {
  try {
    return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  } catch {
    return false;
  }
}

const isOwn = (error: unknown): boolean =>
  error instanceof Own || (error instanceof Error && error.cause !== undefined && isOwn(error.cause));

const before = process.cwd();

beforeAll(async () => {
  // a text is the name of a file
  process.chdir(folder.path);
  models = await prepare();
});
afterAll(() => {
  process.chdir(before);
  models.reader.close();
});

test('every export has a row', () => {
  expect(Object.keys(rows).sort()).toEqual(publicCalls());
});

const calls = Object.entries(rows).flatMap(([name, one]) => (one ? [[name, one] as const] : []));

test.each(calls)('%s', async (_name, one) => {
  const call = one.call as (...given: unknown[]) => unknown;
  const first = call(...one.valid());
  const isAsync = first instanceof Object && typeof (first as { then?: unknown }).then === 'function';
  await first;
  const names = one.options ? await optionsOf(one) : [];
  const failures: string[] = [];
  const count = one.valid().length;
  for (let k = 0; k < count; k++) {
    const more = one.options && k === count - 1 ? names : [];
    // fits take a while each
    const depth = one.cut ? 1 : 2;
    for (const [path, make, bounds] of mutations(one.valid()[k], String(k), depth, one.bounding, more)) {
      for (const [what, bad] of Object.entries(hostile)) {
        // options without which a run takes long
        if (one.bounding.length > 0 && (bounds || path === String(count - 1)) && what === 'undefined')
          continue;
        const given = one.valid();
        given[k] = make(bad());
        const own = given[count - 1] ?? {};
        if (one.cut && isPlain(own)) {
          given[count - 1] = Object.defineProperties(
            { onProgress: throwing },
            Object.getOwnPropertyDescriptors(own),
          );
        }
        const wrong = (how: string, error: unknown) =>
          failures.push(`${path} = ${what}: ${how} ${String(error)}`);
        let result: unknown;
        try {
          result = call(...given);
        } catch (error) {
          if (isAsync) wrong('thrown', error);
          else if (!(error instanceof SklarError) && !isOwn(error)) wrong('threw', error);
          continue;
        }
        try {
          await result;
        } catch (error) {
          if (!(error instanceof SklarError) && !isOwn(error)) wrong('rejected', error);
        }
      }
    }
  }
  expect(failures).toEqual([]);
});
