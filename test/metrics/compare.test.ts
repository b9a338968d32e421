import {
  GaussianCopula,
  type MetricName,
  Table,
  compare,
  energyDistance,
  matrix,
  metricNames,
} from '../../lib';
import { normals, uniforms } from '../helpers/data';

/** Three columns of very different units, the last one of integers; `rho` between the first two, `shift` of the third. */
function table(rows: number, seed: number, { rho = 0.7, shift = 0 } = {}): Table {
  const next = normals(seed);
  const columns = ['small', 'skewed', 'count'].map(() => new Float64Array(rows));
  for (let i = 0; i < rows; i++) {
    const x = next();
    columns[0]![i] = 1e-3 * x;
    columns[1]![i] = Math.exp(3 * (rho * x + Math.sqrt(1 - rho * rho) * next()));
    columns[2]![i] = Math.round(4 * (next() + shift));
  }
  return new Table(['small', 'skewed', 'count'], columns, ['float', 'float', 'integer']);
}

const QUICK = { permutations: 19, rows: 300 } as const;

describe('compare', () => {
  test('a sample of the law of the data is at the floor', async () => {
    const { metrics, ...rest } = await compare(table(2000, 1), table(1500, 2), QUICK);
    expect(rest).toEqual({
      closest: null,
      columns: ['small', 'skewed', 'count'],
      rows: { data: 2000, sample: 1500, reference: null, compared: 1000, pairs: 300 },
      floor: 'halves',
      scale: 'gaussian',
      seed: '1',
    });
    expect(Object.keys(metrics).sort()).toEqual([...metricNames].sort());
    for (const name of metricNames) {
      const { sample, floor } = metrics[name]!;
      expect(Number.isFinite(sample.value) && Number.isFinite(floor.value)).toBe(true);
      if (name !== 'mmd') expect(sample.value).toBeLessThan(3 * floor.value);
      for (const { pValue } of [sample, floor]) if (pValue !== null) expect(pValue).toBeGreaterThan(0.01);
    }
    for (const { value, standardError } of Object.values(metrics.auc!))
      expect(Math.abs(value - 0.5)).toBeLessThan(4 * standardError!);
  });

  test('a wrong dependence and a wrong margin are seen, and where', async () => {
    const data = table(2000, 1);
    const dependence = (await compare(data, table(1000, 2, { rho: 0 }), { ...QUICK, rows: 1000 })).metrics;
    for (const name of ['energy', 'auc', 'kendall', 'tails', 'wasserstein'] as const) {
      const { sample, floor } = dependence[name]!;
      expect(sample.value - 0.5 * Number(name === 'auc')).toBeGreaterThan(
        1.5 * Math.abs(floor.value - 0.5 * Number(name === 'auc')),
      );
    }
    expect([dependence.energy!.sample.pValue, dependence.mmd!.sample.pValue]).toEqual([0.05, 0.05]);
    expect(dependence.kendall!.sample.worst).toEqual(['small', 'skewed']);
    expect(dependence.ks!.sample.pValue).toBeGreaterThan(0.01);

    const margin = (await compare(data, table(1000, 2, { shift: 0.5 }), QUICK)).metrics;
    expect(margin.ks!.sample).toMatchObject({ worst: 'count' });
    expect(margin.cvm!.sample).toMatchObject({ worst: 'count' });
    expect(margin.ks!.sample.pValue).toBeLessThan(1e-6);
    expect(margin.ks!.sample.columns.map(({ column }) => column)).toEqual(['small', 'skewed', 'count']);
    expect(margin.kendall!.sample.value).toBeLessThan(3 * margin.kendall!.floor.value);
  });

  test('the floor is that of other rows where they are given', async () => {
    const [data, sample, reference] = [table(700, 1), table(900, 2), table(600, 3)];
    const options = { ...QUICK, metrics: ['kendall', 'energy'] as const, seed: 5 };
    const result = await compare(data, sample, { ...options, reference });
    expect(result).toMatchObject({
      floor: 'reference',
      rows: { data: 700, sample: 900, reference: 600, compared: 600, pairs: 300 },
      seed: '5',
    });
    // the sample and the reference change places
    const other = await compare(data, reference, { ...options, reference: sample });
    expect(Object.keys(other.metrics)).toEqual(['energy', 'kendall']);
    // data against themselves have no distance
    const itself = await compare(data, data, {
      metrics: ['ks', 'kendall', 'wasserstein'],
      reference: data,
      rows: 700,
    });
    for (const { sample: own } of Object.values(itself.metrics)) expect(own.value).toBeCloseTo(0, 12);
  });

  test('units do not matter but on the scale of the data, columns are found by name', async () => {
    const [data, sample] = [table(800, 1), table(400, 2)];
    const scaled = (source: Table) =>
      new Table(
        ['small', 'skewed', 'count'],
        source.columns.map((values, j) => values.map((x) => (j === 0 ? 1e6 * x : Math.cbrt(x)))),
      );
    const plain = await compare(data, sample, QUICK);
    expect(await compare(scaled(data), scaled(sample), QUICK)).toEqual(plain);
    expect(await compare(data, sample.select(['count', 'skewed', 'small']), QUICK)).toEqual(plain);
    expect(await compare(data, sample, { ...QUICK, threads: 1 })).toEqual(
      await compare(data, sample, { ...QUICK, threads: 2 }),
    );
    const only = { ...QUICK, metrics: ['energy'] as MetricName[] };
    const values = await Promise.all(
      (['gaussian', 'copula', 'data'] as const).map(
        async (scale) => (await compare(data, sample, { ...only, scale })).metrics.energy!.sample.value,
      ),
    );
    expect(new Set(values).size).toBe(3);
  });

  test('on the data scale distances are those of the rows', async () => {
    const copula = new GaussianCopula(Float64Array.of(1, 0.5, 0.5, 1), 2);
    const [x, y, z] = await Promise.all(
      [1, 2, 3].map((seed) => copula.sample(50, { seed, dtype: 'float64', scale: 'gaussian' })),
    );
    const { metrics } = await compare(x!, y!, { reference: z!, scale: 'data', permutations: 0 });
    const { value } = await energyDistance(x!, y!, { permutations: 0 });
    expect(metrics.energy!.sample.value).toBeCloseTo(value, 12);
  });

  test('a single column has no pairs', async () => {
    const next = uniforms(4);
    const column = (rows: number) => matrix(Float64Array.from({ length: rows }, next), rows, 1);
    const { metrics } = await compare(column(100), column(60), QUICK);
    expect(Object.keys(metrics)).toEqual(['ks', 'cvm', 'energy', 'mmd', 'wasserstein', 'auc']);
  });

  test('few rows and columns that do not vary leave metrics out', async () => {
    const [data, sample] = [table(8, 1), table(8, 2)];
    const few = await compare(data, sample, QUICK);
    expect(Object.keys(few.metrics)).toEqual(metricNames.filter((name) => name !== 'auc'));
    const flat = new Table(sample.names, [
      sample.columns[0]!,
      sample.columns[1]!,
      sample.columns[2]!.map(() => 2),
    ]);
    expect((await compare(data, flat, QUICK)).metrics.kendall!.sample.worst).toEqual(['small', 'skewed']);
    const same = new Table(['a'], [new Float64Array(40).fill(3)]);
    const { metrics } = await compare(same, same, QUICK);
    expect([metrics.ks!.sample.value, metrics.mmd!.sample.value, metrics.kendall]).toEqual([0, 0, undefined]);
  });

  test('progress rises to one, through the metrics in order', async () => {
    const seen: { metric: MetricName; fraction: number }[] = [];
    await compare(table(400, 1), table(200, 2), { ...QUICK, onProgress: (progress) => seen.push(progress) });
    expect([...new Set(seen.map(({ metric }) => metric))]).toEqual([...metricNames]);
    seen.forEach(({ fraction }, i) => expect(fraction).toBeGreaterThanOrEqual(seen[i - 1]?.fraction ?? 0));
    expect(seen.at(-1)!.fraction).toBe(1);
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error('enough'));
    await expect(
      compare(table(400, 1), table(200, 2), { onProgress, signal: controller.signal }),
    ).rejects.toThrow('enough');
  });

  test('bad input is named', async () => {
    const [data, sample] = [table(100, 1), table(100, 2)];
    const fails = (promise: Promise<unknown>, code: string, message: RegExp) =>
      expect(promise).rejects.toMatchObject({
        code: `ERR_SKLAR_${code}`,
        message: expect.stringMatching(message),
      });
    await fails(compare(data, sample.exclude(['count'])), 'VALUE', /the sample, got none named "count"/);
    await fails(
      compare(data, sample.toMatrix(), { reference: sample.exclude(['small']).toMatrix() }),
      'SHAPE',
      /3 columns for the reference/,
    );
    await fails(
      compare(data, sample.select(['count', 'small', 'skewed']).toMatrix()),
      'VALUE',
      /the sample, got "count" for "small"/,
    );
    const auc = { metrics: ['auc'] } as const;
    await fails(compare(data.take([0, 1, 2, 3]), sample, auc), 'SHAPE', /each half of the data, got 2/);
    await fails(compare(data.take([0, 1]), sample), 'SHAPE', /each half of the data, got 1/);
    await fails(compare(data, sample.take([0, 1, 2, 3]), auc), 'SHAPE', /of the sample, got 4/);
    await fails(
      compare(data, sample, { ...auc, reference: sample.take([0, 1]) }),
      'SHAPE',
      /of the reference, got 2/,
    );
    const broken = new Table(sample.names, [
      sample.columns[0]!,
      sample.columns[1]!.map((x, i) => (i === 6 ? NaN : x)),
      sample.columns[2]!,
    ]);
    await fails(compare(data, broken), 'VALUE', /the sample, got NaN \(row 7, column "skewed"\)/);
    const flat = new Table(sample.names, [
      sample.columns[0]!,
      sample.columns[1]!,
      sample.columns[2]!.map(() => 2),
    ]);
    await fails(
      compare(data, flat, { metrics: ['kendall'] }),
      'VALUE',
      /for kendall, but column "count" of the sample is constant/,
    );
    await fails(compare(data, sample, { metrics: ['rmse' as MetricName] }), 'VALUE', /a metric, got "rmse"/);
    await fails(compare(data, sample, { metrics: [] }), 'VALUE', /list of metrics/);
    await fails(compare(data, sample, { rows: 3 }), 'VALUE', /rows, got 3/);
    await fails(compare(data, sample, { scale: 'ranks' as 'data' }), 'VALUE', /scale, got "ranks"/);
    await fails(compare(data, sample, { seed: -1 }), 'VALUE', /seed, got -1/);
  });
});
