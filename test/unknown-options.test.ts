/** Every public function that takes options refuses those that it does not have, and what are no options at all. */
import * as sklar from '../lib';
import { SklarError } from '../lib/errors';
import { TemporaryFolder } from './data/support';

const folder = new TemporaryFolder();
const rows = Array.from({ length: 40 }, (_, i) =>
  [((i * 7) % 41) + 1, ((i * 11) % 41) + 1].map((k) => k / 42),
);
const u = sklar.fromRows(rows, ['a', 'b']);
const table = sklar.Table.fromMatrix(u);
const file = folder.file('table.csv', 'a,b\n1,2\n3,4\n');

type Call = (options: never) => unknown;

/** Of each exported name the calls with options; null: it takes none. */
const functions: Record<string, Call | null> = {
  blomqvist: (o) => sklar.blomqvist(u, o),
  classifierAuc: (o) => sklar.classifierAuc(u, u, o),
  closestRows: (o) => sklar.closestRows(u, u, o),
  column: null,
  compare: (o) => sklar.compare(u, u, o),
  cramerVonMises: (o) => sklar.cramerVonMises(u, u, o),
  densityPlot: (o) => sklar.densityPlot({} as never, o),
  devices: null,
  drawByWeight: null,
  energyDistance: (o) => sklar.energyDistance(u, u, o),
  exportOnnx: (o) => sklar.exportOnnx(models.gaussian, file, o),
  fitBest: (o) => sklar.fitBest(u, o),
  fitCopula: (o) => sklar.fitCopula(u, o),
  fitEnsemble: (o) => sklar.fitEnsemble(u, o),
  fitJoint: (o) => sklar.fitJoint(table, o),
  fitMargin: (o) => sklar.fitMargin(table.column('a'), 'kde', o),
  fromRows: null,
  integrate: (o) => sklar.integrate(models.gaussian, o),
  kendall: (o) => sklar.kendall(u, o),
  kendallError: (o) => sklar.kendallError(u, u, o),
  kendallHeatMap: (o) => sklar.kendallHeatMap(u, o),
  kolmogorovSmirnov: (o) => sklar.kolmogorovSmirnov(u, u, o),
  loadJoint: (o) => sklar.loadJoint(file, o),
  loadModel: (o) => sklar.loadModel(file, o),
  lossPlot: (o) => sklar.lossPlot([], o),
  marginFromJSON: null,
  matrix: null,
  meanOf: null,
  mmd: (o) => sklar.mmd(u, u, o),
  mutualInformation: (o) => sklar.mutualInformation(models.gaussian, u, o),
  hasField: null,
  inspectTable: (o) => sklar.inspectTable(table, o),
  stackImputations: null,
  normalCdf: null,
  normalQuantile: null,
  pairPlot: (o) => sklar.pairPlot(table, table, o),
  parameterOfTau: null,
  quantilePlot: (o) => sklar.quantilePlot({} as never, o),
  readTable: (o) => sklar.readTable(file, o),
  report: (o) => sklar.report(models.joint, table, o),
  serialDependence: null,
  slicedWasserstein: (o) => sklar.slicedWasserstein(u, u, o),
  spearman: (o) => sklar.spearman(u, o),
  splitRows: null,
  tailCurves: (o) => sklar.tailCurves(u, o),
  tailError: (o) => sklar.tailError(u, u, o),
  tailPlot: (o) => sklar.tailPlot({} as never, o),
  toReturns: (o) => sklar.toReturns(table, o),
  toRows: null,
  totalCorrelation: (o) => sklar.totalCorrelation(models.gaussian, u, o),
  writeTable: null,
};

/** Methods by class; those not named take no options. */
const methods: Record<string, Record<string, Call>> = {
  TableReader: {
    'static open': (o) => sklar.TableReader.open(file, o),
    batches: (o) => models.reader.batches(o).next(),
  },
  TableWriter: { 'static open': (o) => sklar.TableWriter.open(folder.file('out.csv'), ['a'], o) },
  PseudoObservations: {
    'static fit': (o) => sklar.PseudoObservations.fit(table, o),
    'static fitColumns': (o) => sklar.PseudoObservations.fitColumns(table, null, o),
    transform: (o) => models.ranks.transform(table, o),
    inverse: (o) => models.ranks.inverse(u, o),
    cells: (o) => models.ranks.cells(table, o),
  },
  TableSchema: {
    'static infer': (o) => sklar.TableSchema.infer(table, o),
    'static inferWith': (o) => sklar.TableSchema.inferWith(table, o),
    restore: (o) => sklar.TableSchema.infer(table).restore(table, o),
    breakingRows: (o) => sklar.TableSchema.infer(table).breakingRows(table, o),
  },
  Margins: {
    'static fit': (o) => sklar.Margins.fit(table, o),
    'static fitColumns': (o) => sklar.Margins.fitColumns(table, o),
    transform: (o) => models.joint.margins.transform(table, o),
    inverse: (o) => models.joint.margins.inverse(u, o),
    cells: (o) => models.joint.margins.cells(table, o),
    logPdf: (o) => models.joint.margins.logPdf(table, o),
  },
  JointDistribution: {
    logPdf: (o) => models.joint.logPdf(table, o),
    logPdfStream: (o) => models.joint.logPdfStream([table], o).next(),
    sample: (o) => models.joint.sample(3, o),
    sampleStream: (o) => models.joint.sampleStream(3, o).next(),
    sampleConditional: (o) => models.joint.sampleConditional({ a: 0.5 }, 3, o),
    sampleWhere: (o) => models.joint.sampleWhere('a > 0.5', 3, o),
    probability: (o) => models.joint.probability('a > 0.5', o),
    impute: (o) => models.joint.impute(table, o),
    cdf: (o) => models.joint.cdf(table, o),
  },
  Copula: {
    calibrate: (o) => models.gaussian.calibrate(o),
    logPdf: (o) => models.gaussian.logPdf(u, o),
    logPdfCells: (o) => models.gaussian.logPdfCells(u, u, o),
    sample: (o) => models.gaussian.sample(3, o),
    sampleStream: (o) => models.gaussian.sampleStream(3, o).next(),
    sampleConditional: (o) => models.flow.sampleConditional({ a: 0.5 }, 3, o),
    probability: (o) => models.gaussian.probability(() => 1, o),
    sampleWhere: (o) => models.gaussian.sampleWhere(() => 1, 3, o),
    certify: (o) => models.gaussian.certify(u, o),
  },
  PotentialCopula: {
    logPdfAtTime: (o) => models.potential.logPdfAtTime(u, 0, o),
    estimateNormaliser: (o) => models.potential.estimateNormaliser(o),
  },
  CdcCopula: {
    field: (o) => models.cdc.field(u, o),
    logPdfAtLevel: (o) => models.cdc.logPdfAtLevel(u, 0, o),
    logits: (o) => models.cdc.logits(u, o),
    transport: (o) => models.cdc.transport(u, o),
    calibrate: (o) => models.cdc.calibrate(o),
    estimateNormaliser: (o) => models.cdc.estimateNormaliser(o),
  },
  FlowCopula: { calibrate: (o) => models.flow.calibrate(o) },
  EnsembleCopula: {
    estimateNormaliser: (o) => models.ensemble.estimateNormaliser(o),
  },
  ClassicalCopula: {
    pdf: (o) => models.family.pdf(u, o),
    cdf: (o) => models.family.cdf(u, o),
    cdfWithErrors: (o) => models.family.cdfWithErrors(u, o),
    hfunc1: (o) => models.family.hfunc1(u, o),
    hfunc2: (o) => models.family.hfunc2(u, o),
    hinv1: (o) => models.family.hinv1(u, o),
    hinv2: (o) => models.family.hinv2(u, o),
    rosenblatt: (o) => models.family.rosenblatt(u, o),
    inverseRosenblatt: (o) => models.family.inverseRosenblatt(u, o),
  },
  FamilyCopula: { constructor: (o: never) => new sklar.FamilyCopula('clayton', { theta: 2 }, o) },
  ClosedFormCopula: {
    'static gaussianMixture': (o) => sklar.ClosedFormCopula.gaussianMixture(o),
    'static fgm': (o) => sklar.ClosedFormCopula.fgm(o),
    'static cosine': (o) => sklar.ClosedFormCopula.cosine(o),
  },
};

let models: {
  gaussian: sklar.GaussianCopula;
  family: sklar.FamilyCopula;
  cdc: sklar.CdcCopula;
  potential: sklar.PotentialCopula;
  flow: sklar.FlowCopula;
  ensemble: sklar.EnsembleCopula;
  joint: sklar.JointDistribution;
  ranks: sklar.PseudoObservations;
  reader: sklar.TableReader;
};

beforeAll(async () => {
  const quick = { hidden: 4, depth: 1, steps: 1, batch: 8 };
  models = {
    gaussian: await sklar.fitCopula(u, { kind: 'gaussian' }),
    family: new sklar.FamilyCopula('clayton', { theta: 2 }),
    cdc: await sklar.fitCopula(u, quick),
    potential: await sklar.fitCopula(u, { ...quick, kind: 'potential' }),
    flow: await sklar.fitCopula(u, { kind: 'flow', ...quick }),
    ensemble: await sklar.fitEnsemble(u, { kind: 'flow', models: 1, ...quick }),
    joint: await sklar.fitJoint(table, { copula: { kind: 'gaussian' as never } }),
    ranks: await sklar.PseudoObservations.fit(table),
    reader: await sklar.TableReader.open(file),
  };
});
afterAll(() => models.reader.close());

async function refusal(call: Call, options: unknown): Promise<string> {
  try {
    await call(options as never);
  } catch (error) {
    if (!(error instanceof SklarError)) throw error;
    expect(error.code).toBe('ERR_SKLAR_VALUE');
    return error.message;
  }
  throw new Error('expected a SklarError, got none');
}

const calls: [string, Call][] = [
  ...Object.entries(functions).flatMap(([name, call]): [string, Call][] => (call ? [[name, call]] : [])),
  ...Object.entries(methods).flatMap(([of, all]) =>
    Object.entries(all).map(([name, call]): [string, Call] => [`${of}, ${name}`, call]),
  ),
];

test.each(calls)('%s', async (_, call) => {
  const message = await refusal(call, { wieghts: 1, signla: 2 });
  expect(message).toMatch(/^unknown options "wieghts", "signla" of .+ \(options: .+\)$/);
  for (const no of [null, 7, 'text', true, [1], u.data]) {
    expect(await refusal(call, no)).toMatch(/^expected an object of options for .+, got /);
  }
});

test('the nearest option is named, and all there are', async () => {
  expect(await refusal((o) => sklar.kendall(u, o), { theads: 2 })).toBe(
    'unknown option "theads" of kendall; did you mean "threads"? (options: device, precision, signal, threads, weights)',
  );
  expect(await refusal((o) => sklar.fitCopula(u, o), { kind: 'flow', hiden: 8 })).toContain(
    'did you mean "hidden"?',
  );
  expect(await refusal((o) => sklar.fitCopula(u, o), { kind: 'clayton', hidden: 8 })).toContain('rotation');
  expect(await refusal((o) => sklar.fitMargin(table.column('a'), o), { type: 'kde', bandwith: 1 })).toContain(
    'unknown option "bandwith" of the margin of column "values"; did you mean "bandwidth"?',
  );
  expect(await refusal((o) => sklar.fitJoint(table, o), { copula: { kind: 'cdc', stepss: 5 } })).toContain(
    '"steps"',
  );
  expect(await refusal((o) => sklar.fitBest(u, o), { candidates: [{ kind: 'frank', stepss: 1 }] })).toContain(
    'stepss',
  );
  expect(await refusal((o) => sklar.report(models.joint, table, o), { certificate: { rows: 5 } })).toContain(
    '"rows"',
  );
  expect(await refusal((o) => sklar.loadModel(file, o), { published: { tmax: 5 } })).toContain('"tMax"');
});

describe('nothing public is forgotten', () => {
  test('functions', () => {
    const all = Object.entries(sklar).filter(([, value]) => typeof value === 'function' && !isClass(value));
    expect(all.map(([name]) => name).sort()).toEqual(Object.keys(functions).sort());
  });

  // a method whose source mentions options takes them
  test('methods', () => {
    const classes = (Object.values(sklar) as unknown[]).filter(isClass);
    const bases = classes.map((one) => Object.getPrototypeOf(one) as { name?: string }).filter(isClass);
    const untested: string[] = [];
    for (const one of new Set([...classes, ...bases])) {
      const known = Object.keys(methods[one.name] ?? {});
      const named = [
        ...Object.getOwnPropertyNames(one.prototype).map((name) => [name, one.prototype, name] as const),
        ...Object.getOwnPropertyNames(one).map((name) => [`static ${name}`, one, name] as const),
      ];
      for (const [name, holder, key] of named) {
        const { value } = Object.getOwnPropertyDescriptor(holder, key)!;
        if (typeof value !== 'function' || name === 'constructor' || known.includes(name)) continue;
        const parameters = /^[^{]*?\(([^)]*)\)/.exec(String(value))?.[1] ?? '';
        if (/\b_?(?:options|run) = |\{\s*\}\s*$/.test(parameters)) untested.push(`${one.name}, ${name}`);
      }
    }
    // internal: shared by classes that are above
    expect(untested.filter((name) => !/^(VelocityCopula|LevelColumns),/.test(name))).toEqual([]);
  });
});

function isClass(value: unknown): value is { name: string; prototype: object } {
  return typeof value === 'function' && /^class\b/.test(String(value));
}
