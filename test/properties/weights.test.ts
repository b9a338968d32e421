/** Weighted rows (docs/mathematics.md, N.5): what they must equal. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import {
  type CopulaSpec,
  GaussianCopula,
  type MarginSpec,
  Margins,
  type Matrix,
  PseudoObservations,
  Table,
  blomqvist,
  fitBest,
  fitCopula,
  fitJoint,
  fitMargin,
  kendall,
  loadJoint,
  loadModel,
  matrix,
  meanOf,
  spearman,
  tailCurves,
} from '../../lib';
import { pickRows } from '../../lib/matrix';
import { normalQuantile } from '../../lib/normal';

const ROWS = 120;

/** Whole weights, the least of them 1, a tenth of them 0. */
const counts = Float64Array.from({ length: ROWS }, (_, i) => (i % 10 === 3 ? 0 : 1 + ((7 * i) % 5)));
const times = Array.from(counts, (count, i) => Array.from({ length: count }, () => i)).flat();
const positive = Array.from(counts.keys()).filter((i) => counts[i]! > 0);

async function rows(): Promise<Matrix> {
  const copula = new GaussianCopula(Float64Array.of(1, 0.6, 0.3, 0.6, 1, 0.5, 0.3, 0.5, 1), 3);
  const { data } = await copula.sample(ROWS, { seed: 5, dtype: 'float64' });
  return matrix(normalQuantile(data as Float64Array), ROWS, 3, ['a', 'b', 'c']);
}

const take = ({ data, columns, names }: Matrix, chosen: readonly number[]) =>
  matrix(pickRows(Float64Array.from(data), chosen, columns), chosen.length, columns, names);

const near = (a: ArrayLike<number>, b: ArrayLike<number>, digits = 12) => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(a[i]).toBeCloseTo(b[i]!, digits);
};

/** The same with other weights: of a constant multiple, of some equal ones, of rows without a weight. */
async function expectInvariant<T>(run: (x: Matrix, weights?: Float64Array) => Promise<T> | T): Promise<void> {
  const x = await rows();
  const uneven = Float64Array.from({ length: ROWS }, (_, i) => 0.3 + Math.sin(i) ** 2);
  for (const weights of [counts, uneven]) {
    const own = await run(x, weights);
    for (const factor of [0.1, 7e9]) {
      expect(
        await run(
          x,
          weights.map((weight) => weight * factor),
        ),
      ).toEqual(own);
    }
  }
  expect(await run(x, new Float64Array(ROWS).fill(2.7))).toEqual(await run(x));
  expect(await run(x, counts)).toEqual(
    await run(
      take(x, positive),
      counts.filter((count) => count > 0),
    ),
  );
  const zeroOrOne = counts.map((count) => Number(count > 0));
  expect(await run(x, zeroOrOne)).toEqual(await run(take(x, positive)));
}

const valuesOf = (margin: { cdf(x: Float64Array): Float64Array; logPdf(x: Float64Array): Float64Array }) => {
  const x = Float64Array.from({ length: 41 }, (_, i) => -4 + i / 5);
  return [margin.cdf(x), margin.logPdf(x)] as const;
};

describe('weights in any unit, equal ones, and rows without', () => {
  test('ranks', () =>
    expectInvariant(async (x, weights) => {
      const ranks = await PseudoObservations.fit(Table.fromMatrix(x), { weights });
      const { data } = ranks.transformTrain();
      const kept = weights
        ? Array.from(weights.keys()).filter((i) => weights[i]! > 0)
        : [...Array(x.rows).keys()];
      return [pickRows(data, kept, 3), ranks.trainingBlocks()];
    }));

  test.each<MarginSpec>(['auto', 'empirical', 'kde', 'gpd', 'parametric', 'student-t'])(
    'margins: %s',
    (spec) =>
      expectInvariant(async (x, weights) => {
        const margins = await Margins.fit(Table.fromMatrix(x), { margins: spec as 'auto', weights });
        return [0, 1, 2].map((j) => margins.margin(j).toJSON());
      }),
  );

  test('measures', () =>
    expectInvariant(async (x, weights) => [
      (await kendall(x, { weights })).data,
      (await spearman(x, { weights })).data,
      (await blomqvist(x, { weights })).data,
      await tailCurves(x, { weights, q: [0.8] }),
    ]));

  test.each<CopulaSpec>([
    { kind: 'gaussian' },
    { kind: 'gaussian', method: 'tau' },
    { kind: 'student' },
    { kind: 'clayton' },
    { kind: 'empirical-beta' },
    { kind: 'cdc', hidden: 8, depth: 1, levels: 4, steps: 5, batch: 16 },
    { kind: 'flow', hidden: 8, depth: 1, steps: 5, batch: 16 },
  ])('copulas: %o', (spec) =>
    expectInvariant(async (x, weights) => {
      const ranks = await PseudoObservations.fit(Table.fromMatrix(x), { weights });
      const copula = await fitCopula(ranks.transformTrain(), {
        ...spec,
        blocks: ranks.trainingBlocks(),
        weights,
      });
      const drawn = await copula.sample(3, { seed: 1, ...('hidden' in spec && { steps: 4 }) });
      return [drawn.data, copula.notes];
    }),
  );

  test('a joint distribution', () =>
    expectInvariant(async (x, weights) => {
      const joint = await fitJoint(x, { copula: { kind: 'frank' }, weights });
      return joint.logPdf([[0.1, 0.4, -0.3]]);
    }));
});

describe('whole weights are repeated rows', () => {
  test('ranks, ties at their mean', async () => {
    const x = Table.fromMatrix(await rows());
    const own = await PseudoObservations.fit(x, { ties: 'average', weights: counts });
    const repeated = await PseudoObservations.fit(x.take(times), { ties: 'average' });
    near(pickRows(own.transformTrain().data, times, 3), repeated.transformTrain().data);
    const beyond = Table.fromColumns({ a: [-9, 9, -9], b: [9, -9, 9], c: [9, 9, -9] });
    near((await own.transform(beyond)).data, (await repeated.transform(beyond)).data);
  });

  test.each<[MarginSpec, number]>([
    ['empirical', 12],
    ['discrete', 12],
    ['normal', 6],
    ['student-t', 4],
    ['logistic', 6],
    [{ type: 'gpd', body: 'empirical', lowerThreshold: -0.8, upperThreshold: 0.7 }, 6],
  ])('margins: %o', async (spec, digits) => {
    const values = Table.fromMatrix(await rows()).column('a');
    const own = fitMargin(values, spec, { weights: counts });
    const repeated = fitMargin(
      Float64Array.from(times, (i) => values[i]!),
      spec,
    );
    near(valuesOf(own)[0], valuesOf(repeated)[0], digits);
  });

  test('atoms of a zero-inflated margin', () => {
    const values = Float64Array.from({ length: ROWS }, (_, i) => (i % 3 === 0 ? 0 : 1 + ((37 * i) % 101)));
    const own = fitMargin(values, { type: 'zero-inflated', atoms: [0] }, { weights: counts });
    const zeros = times.filter((i) => i % 3 === 0).length;
    expect(own.cdf(Float64Array.of(0))[0]).toBeCloseTo(zeros / times.length, 12);
  });

  test('measures', async () => {
    const x = await rows();
    const again = take(x, times);
    near((await kendall(x, { weights: counts })).data, (await kendall(again)).data);
    near((await spearman(x, { weights: counts })).data, (await spearman(again)).data);
    near((await blomqvist(x, { weights: counts })).data, (await blomqvist(again)).data);
    const q = [0.1, 0.8, 0.93];
    const [own, repeated] = [await tailCurves(x, { q, weights: counts }), await tailCurves(again, { q })];
    q.forEach((_, k) => {
      near(own.lower[k]!.data, repeated.lower[k]!.data);
      near(own.upper[k]!.data, repeated.upper[k]!.data);
      // that of the rows that the weights are worth, not of all copies
      expect(own.upperError[k]!.data[1]!).toBeGreaterThan(repeated.upperError[k]!.data[1]!);
    });
  });

  test('kendall of few values', async () => {
    const x = await rows();
    const coarse = matrix(
      Float64Array.from(x.data, (value) => Math.round(2 * value)),
      ROWS,
      3,
    );
    near((await kendall(coarse, { weights: counts })).data, (await kendall(take(coarse, times))).data);
  });

  test.each<CopulaSpec>([
    { kind: 'gaussian' },
    { kind: 'gaussian', method: 'tau' },
    { kind: 'student' },
    { kind: 'clayton' },
    { kind: 'gumbel', method: 'tau' },
    { kind: 'bb1' },
    { kind: 'kernel' },
  ])('copulas: %o', async (spec) => {
    const ranks = await PseudoObservations.fit(Table.fromMatrix(await rows()), { weights: counts });
    const { data } = ranks.transformTrain();
    const u = matrix(
      Float64Array.from({ length: 2 * ROWS }, (_, k) => data[3 * (k >> 1) + (k % 2)]!),
      ROWS,
      2,
    );
    const blocks = [new Float64Array(), new Float64Array()];
    // bandwidths are those of the rows that the weights are worth
    const worth = times.length / counts.reduce((sum, count) => sum + count * count, 0);
    const [wide, narrow] = [1, worth ** 0.1].map((bandwidth) =>
      spec.kind === 'kernel' ? { bandwidth } : {},
    );
    const own = await fitCopula(u, { ...spec, ...narrow, blocks, weights: counts } as never);
    const repeated = await fitCopula(take(u, times), { ...spec, ...wide, blocks } as never);
    const at = [
      [0.2, 0.3],
      [0.9, 0.8],
      [0.05, 0.6],
    ];
    near(await own.logPdf(at), await repeated.logPdf(at), 4);
  });

  test('blocks of values that recur', async () => {
    const x = Table.fromMatrix(await rows());
    const grades = new Table(['a', 'b'], [x.column('a').map((value) => Math.round(value)), x.column('b')]);
    const own = await PseudoObservations.fit(grades, { weights: counts });
    const repeated = await PseudoObservations.fit(grades.take(times));
    near(own.trainingBlocks()[0]!, repeated.trainingBlocks()[0]!);
    const one = await fitCopula(own.transformTrain(), {
      kind: 'gaussian',
      blocks: own.trainingBlocks(),
      weights: counts,
    });
    const same = pickRows(own.transformTrain().data, times, 2);
    const many = await fitCopula(matrix(same, times.length, 2), {
      kind: 'gaussian',
      blocks: own.trainingBlocks(),
    });
    expect(one.correlation[1]).toBeCloseTo(many.correlation[1]!, 5);
  });
});

describe('files', () => {
  const uneven = Float64Array.from({ length: ROWS }, (_, i) => 0.3 + Math.sin(i) ** 2);
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'sklar-weights-')), 'model.safetensors');
  afterAll(() => rmSync(path.dirname(file), { recursive: true }));

  test.each(['auto', 'empirical', 'gpd', 'discrete', 'student-t'] as const)(
    'margins: %s',
    async (margins) => {
      const x = Table.fromMatrix(await rows());
      const table = new Table(
        [...x.names, 'grade', 'rain'],
        [...x.columns, x.column('a').map(Math.round), x.column('b').map((value) => Math.max(0, value))],
      );
      const joint = await fitJoint(table, { copula: { kind: 'gaussian' }, margins, weights: uneven });
      await joint.save(file);
      const again = await loadJoint(file);
      expect(await again.logPdf(table)).toEqual(await joint.logPdf(table));
      expect(again.schema.weightsColumn).toBeNull();
    },
  );

  test('ranks', async () => {
    const x = Table.fromMatrix(await rows());
    const table = new Table(['a', 'grade'], [x.column('a'), x.column('b').map(Math.round)]);
    const margins = await PseudoObservations.fit(table, { weights: uneven });
    const options = { kind: 'frank' as const, blocks: margins.trainingBlocks(), margins, weights: uneven };
    await (await fitCopula(margins.transformTrain(), options)).save(file);
    const again = (await loadModel(file)).margins!;
    const others = Table.fromColumns({ a: [-9, 0.3, 9], grade: [-1, 0.5, 7] });
    expect((await again.transform(others)).data).toEqual((await margins.transform(others)).data);
    const u = matrix(Float64Array.of(0.01, 0.2, 0.5, 0.5, 0.99, 0.8), 3, 2);
    expect((await again.inverse(u)).columns).toEqual((await margins.inverse(u)).columns);
    // values come back from the levels that they were given
    const trained = margins.transformTrain();
    expect((await margins.inverse(trained)).column('grade')).toEqual(table.column('grade').map((x) => x + 0));
  });

  test('a column that holds them', async () => {
    const x = Table.fromMatrix(await rows());
    const table = new Table([...x.names, 'w'], [...x.columns, counts]);
    const joint = await fitJoint(table, { copula: { kind: 'gaussian' }, weights: 'w' });
    expect(joint.names).toEqual(['a', 'b', 'c']);
    await joint.save(file);
    expect((await loadJoint(file)).schema.weightsColumn).toBe('w');
    const same = await fitJoint(x, { copula: { kind: 'gaussian' }, weights: counts });
    expect(await joint.logPdf(x)).toEqual(await same.logPdf(x));
    await expect(fitJoint(table, { weights: 'v' })).rejects.toThrow(
      'expected the name of an existing column for weights, got "v"',
    );
  });
});

test('weights of any size have models that can be read again', async () => {
  const table = Table.fromMatrix(await rows());
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'sklar-weights-')), 'model.safetensors');
  const sizes = [
    Float64Array.from({ length: ROWS }, (_, i) => 10 ** (-2 * i)),
    Float64Array.from({ length: ROWS }, (_, i) => (i === 3 ? 1e6 + 0.5 : 1.3 + Math.sin(i))),
  ];
  for (const weights of sizes) {
    for (const margins of ['auto', 'empirical', 'gpd', 'discrete'] as const) {
      await (await fitJoint(table, { copula: { kind: 'gaussian' }, margins, weights })).save(file);
      const log = await (await loadJoint(file)).logPdf(table);
      expect(log.some(Number.isNaN)).toBe(false);
    }
  }
  rmSync(path.dirname(file), { recursive: true });
});

test('the best kind, scored with weights', async () => {
  const u = (await PseudoObservations.fit(Table.fromMatrix(await rows()))).transformTrain();
  const candidates = [{ kind: 'gaussian' as const }, { kind: 'independence' as const }];
  const { ranking } = await fitBest(u, { candidates, weights: counts });
  expect(ranking[0]!.candidate.kind).toBe('gaussian');
  expect(ranking[1]!.meanLogPdf).toBe(0);
});

test('weighted means have the standard error of what they are worth', () => {
  const values = Float64Array.of(1, 3, 8, 2);
  expect(meanOf(values, undefined, 'rows', [2, 2, 2, 2])).toEqual(meanOf(values));
  expect(meanOf(values, undefined, 'rows', [1, 1, 0, 1])).toEqual(meanOf(Float64Array.of(1, 3, 2)));
  const { mean, standardError, effectiveRows } = meanOf(values, undefined, 'rows', [1, 2, 3, 4]);
  expect(mean).toBeCloseTo(3.9, 12);
  expect(effectiveRows).toBeCloseTo(100 / 30, 12);
  const squares = 2.9 ** 2 + (2 * 0.9) ** 2 + (3 * 4.1) ** 2 + (4 * 1.9) ** 2;
  expect(standardError).toBeCloseTo(Math.sqrt((squares / 100) * (100 / 30 / (100 / 30 - 1))), 12);
});

test('importance weights give the law that rows were not drawn from', async () => {
  const copula = new GaussianCopula(Float64Array.of(1, 0.5, 0.5, 1), 2);
  const { data } = await copula.sample(8000, { seed: 11, dtype: 'float64' });
  // rows with a great first value are kept more often
  const share = (u: number) => 0.1 + 0.9 * u ** 2;
  const kept = Array.from({ length: 8000 }, (_, i) => i).filter(
    (i) => (i * 0.618034) % 1 < share(data[2 * i]!),
  );
  const x = matrix(pickRows(Float64Array.from(data), kept, 2), kept.length, 2);
  const weights = Float64Array.from(kept, (i) => 1 / share(data[2 * i]!));
  const ranks = await PseudoObservations.fit(Table.fromMatrix(x), { weights });
  const fitted = await fitCopula(ranks.transformTrain(), { kind: 'gaussian', method: 'tau', weights });
  const error = fitted.standardErrors!.rho!;
  expect(Math.abs(fitted.correlation[1]! - 0.5)).toBeLessThan(2 * error);
  const byLikelihood = await fitCopula(ranks.transformTrain(), { kind: 'student', weights });
  expect(Math.abs(byLikelihood.correlation[1]! - 0.5)).toBeLessThan(3 * byLikelihood.standardErrors!.rho!);
  // without weights it is another law
  const plain = await fitCopula(x, { kind: 'gaussian', method: 'tau' });
  expect(Math.abs(plain.correlation[1]! - 0.5)).toBeGreaterThan(2 * plain.standardErrors!.rho!);
});

test.each([
  [[1, -1, 1], 'got -1 (row 2)'],
  [[1, NaN, 1], 'got NaN (row 2)'],
  [[1, Infinity, 1], 'got Infinity (row 2)'],
  [[0, 0, 0], 'a weight above 0'],
  [[1, 1], 'expected 3 weights'],
  ['abc', 'an array of numbers'],
])('refuses the weights %o', async (weights, message) => {
  await expect(
    kendall(
      [
        [1, 2],
        [2, 1],
        [3, 3],
      ],
      { weights: weights as never },
    ),
  ).rejects.toThrow(message);
});
