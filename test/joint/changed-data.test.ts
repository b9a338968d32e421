/** What a caller does to its arrays, tables and options while a job runs changes nothing, and ends no process. */
import {
  Margins,
  PseudoObservations,
  Table,
  compare,
  fitBest,
  fitCopula,
  fitJoint,
  fromRows,
  inspectTable,
  integrate,
  kendall,
  report,
  totalCorrelation,
} from '../../lib';
import { SklarError } from '../../lib/errors';

const rows = Array.from({ length: 60 }, (_, i) =>
  [(i * 7) % 61, (i * 7 + ((i * 11) % 17)) % 61].map((k) => (k + 1) / 63),
);
const data = () => fromRows(rows, ['a', 'b']);
const tableOf = () => Table.fromMatrix(data());
const holey = () => {
  const table = tableOf();
  table.columns[0]![3] = NaN;
  return table;
};
const quick = { hidden: 4, depth: 1, steps: 2, batch: 16 };

let joint: Awaited<ReturnType<typeof fitJoint>>;
let ranks: PseudoObservations;
beforeAll(async () => {
  joint = await fitJoint(tableOf(), { copula: { kind: 'gaussian' } });
  ranks = await PseudoObservations.fit(tableOf());
});

type Given = readonly (Table | { readonly data: Float32Array | Float64Array })[];

/** Each takes what is given and options that it is told, and gives what can be compared. */
const jobs: Record<string, [make: () => Given, work: (given: never[], options: object) => Promise<unknown>]> =
  {
    'PseudoObservations.fit': [
      () => [tableOf()],
      async ([table], o) => (await PseudoObservations.fit(table!, o)).transformTrain(),
    ],
    'PseudoObservations.transform': [() => [tableOf()], ([table], o) => ranks.transform(table!, o)],
    'PseudoObservations.inverse': [() => [data()], ([u], o) => ranks.inverse(u!, o)],
    'PseudoObservations.cells': [() => [tableOf()], ([table], o) => ranks.cells(table!, o)],
    'Margins.fit': [
      () => [tableOf()],
      async ([table], o) => (await Margins.fit(table!, o)).margin('a').toJSON(),
    ],
    'Margins.logPdf': [() => [tableOf()], ([table], o) => joint.margins.logPdf(table!, o)],
    inspectTable: [() => [tableOf()], ([table], o) => inspectTable(table!, o)],
    fitJoint: [
      () => [tableOf()],
      async ([table], o) =>
        (await fitJoint(table!, { copula: { kind: 'gaussian' }, ...o })).logPdf(tableOf()),
    ],
    fitCopula: [
      () => [data()],
      async ([u], o) => (await fitCopula(u!, { kind: 'flow', ...quick, ...o })).sample(3, { margins: 'raw' }),
    ],
    fitBest: [
      () => [data()],
      async ([u], o) => (await fitBest(u!, { candidates: [{ kind: 'gaussian' }], folds: 2, ...o })).ranking,
    ],
    'joint.logPdf': [() => [tableOf()], ([table], o) => joint.logPdf(table!, o)],
    'joint.impute': [
      () => [holey()],
      async ([table], o) =>
        (await joint.impute(table!, { draws: 2, ...o })).tables.map(({ columns }) => columns),
    ],
    'joint.cdf': [() => [tableOf()], ([table], o) => joint.cdf(table!, { samples: 50, ...o })],
    'copula.logPdf': [() => [data()], ([u], o) => joint.copula.logPdf(u!, o)],
    'copula.logPdfCells': [() => [data(), data()], ([u, v], o) => joint.copula.logPdfCells(u!, v!, o)],
    'copula.certify': [
      () => [data()],
      async ([u], o) => {
        const { routes, margins } = await joint.copula.certify(u!, { sampleRows: 100, ...o });
        return { routes: routes.map((route) => ({ ...route, seconds: 0 })), margins };
      },
    ],
    integrate: [
      () => [data()],
      ([u], o) => integrate(joint.copula as never, { direction: 'likelihood', start: u!, steps: 2, ...o }),
    ],
    kendall: [() => [data()], ([u], o) => kendall(u!, o)],
    totalCorrelation: [() => [data()], ([u], o) => totalCorrelation(joint.copula, u!, { draws: 2, ...o })],
    compare: [
      () => [data(), data()],
      ([u, v], o) => compare(u!, v!, { metrics: ['ks', 'energy'], permutations: 9, rows: 20, ...o }),
    ],
    report: [
      () => [tableOf()],
      async ([table], o) => {
        const skip = ['certificate', 'comparison', 'pairs', 'tails'] as const;
        const { numbers } = await report(joint, table!, { rows: 50, skip, ...o });
        return numbers.margins;
      },
    ],
  };

type Numbers = Float32Array | Float64Array;

const arraysOf = (given: Given): Numbers[] =>
  given.flatMap((one): readonly Numbers[] => (one instanceof Table ? one.columns : [one.data]));

describe.each(Object.entries(jobs))('%s', (_, [make, work]) => {
  test.each([
    ['written to', (values: Numbers) => void values.fill(0.123)],
    [
      'transferred',
      ({ buffer }: Numbers) => void structuredClone(buffer, { transfer: [buffer as ArrayBuffer] }),
    ],
  ])('rows that are %s', async (_how, change) => {
    const expected = await work(make() as never[], {});
    const given = make();
    const options: Record<string, unknown> = { threads: 1 };
    const running = work(given as never[], options);
    for (const values of arraysOf(given)) change(values);
    options.threads = -1;
    options.seed = Symbol('none');
    expect(await running).toEqual(expected);
  });

  test('rows that were transferred before', async () => {
    const given = make();
    for (const { buffer } of arraysOf(given)) structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
    await expect(work(given as never[], {})).rejects.toThrow(SklarError);
  });
});

test('of tables that take several jobs, too', async () => {
  const count = 1_100_000;
  const long = () =>
    new Table(
      ['a', 'b'],
      [1, 2].map((k) => Float64Array.from({ length: count }, (_, i) => ((k * i) % 97) / 100)),
    );
  const expected = await ranks.transform(long());
  const table = long();
  const running = ranks.transform(table);
  table.columns.forEach((values) => values.fill(0.5));
  expect((await running).data.at(-1)).toBe(expected.data.at(-1));
  const levels = { ...expected, data: expected.data.slice() };
  const back = ranks.inverse(levels);
  levels.data.fill(0.5);
  expect((await back).column('b').at(-1)).toBe((await ranks.inverse(expected)).column('b').at(-1));
});
