import { type Certificate, ClosedFormCopula, GaussianCopula, fitCopula, matrix } from '../../lib';
import { uniformDistance } from '../../lib/copulas/judgement/certificate';
import { crossed } from '../helpers/data';

const routeOf = ({ routes }: Certificate, method: string) => routes.find((r) => r.method === method)!;
const meanOf = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;
const equi = (dim: number, rho: number) =>
  Float64Array.from({ length: dim * dim }, (_, i) => (i % (dim + 1) === 0 ? 1 : rho));

const exact = {
  gaussian: () => new GaussianCopula(equi(3, 0.5), 3),
  mixture: () =>
    ClosedFormCopula.gaussianMixture({ weights: [0.5, 0.5], correlations: [equi(3, 0.6), equi(3, -0.2)] }),
  fgm: () => ClosedFormCopula.fgm({ dim: 3, theta: 0.9 }),
  cosine: () => ClosedFormCopula.cosine({ terms: [{ amplitude: 0.6, frequencies: [1, 1, 0] }] }),
};

test.each(Object.entries(exact))('the routes of an exact %s copula agree', async (_, make) => {
  const copula = make();
  const rows = await copula.sample(300, { seed: 4, dtype: 'float64' });
  const result = await copula.certify(rows, { sampleRows: 4000, seed: 2 });
  expect(result).toMatchObject({
    kind: copula.kind,
    dim: 3,
    rows: 300,
    routeRows: 300,
    logNormaliser: 0,
    logNormaliserStandardError: 0,
    normalisedBy: 'exact',
    verdict: {
      routesAgree: { method: 'bound', within: true },
      marginsUniform: true,
      rawMarginsUniform: true,
    },
  });
  expect(result.routes.map(({ method, nfe }) => [method, nfe])).toEqual([
    ['exact', 0],
    ['ode', expect.any(Number)],
    ['bound', 128],
  ]);
  expect(routeOf(result, 'exact').mean).toBeCloseTo(meanOf(await copula.logPdf(rows)), 12);
  expect(routeOf(result, 'exact').difference).toBeNull();
  expect(Math.abs(routeOf(result, 'ode').difference!.mean)).toBeLessThan(1e-4);
  const bound = routeOf(result, 'bound').difference!;
  expect(Math.abs(bound.mean)).toBeLessThan(4 * bound.standardError);
  expect(bound.standardError).toBeLessThan(0.02);
  // one object for JSON, the same whatever the threads; but for the clock
  const timeless = (c: Certificate) => ({ ...c, routes: c.routes.map((r) => ({ ...r, seconds: 0 })) });
  expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  const onOneThread = await copula.certify(rows, { sampleRows: 4000, seed: 2, threads: 1 });
  expect(timeless(onOneThread)).toEqual(timeless(result));
});

test('many columns: fewer rows for the routes, and a flow whose divergence is a formula', async () => {
  const copula = new GaussianCopula(equi(150, 0.3), 150);
  const rows = await copula.sample(700, { seed: 4, dtype: 'float64' });
  const result = await copula.certify(rows, { sampleRows: 100 });
  expect(result).toMatchObject({ rows: 700, routeRows: 666 });
  expect(Math.abs(routeOf(result, 'ode').difference!.mean)).toBeLessThan(0.002);
  expect(routeOf(result, 'bound').difference).toMatchObject({ within: true });
});

test('a CDC: log Z is subtracted from the classifier, the stored one where there is one', async () => {
  const options = { guided: false, hidden: 16, depth: 1, steps: 150, batch: 256 };
  const copula = await fitCopula(crossed(2000, 0.8, 1), { kind: 'cdc', ...options });
  const rows = crossed(700, 0.8, 5);
  const seen: [string, number][] = [];
  const result = await copula.certify(rows, {
    routeRows: 200,
    sampleRows: 3000,
    onProgress: ({ stage, fraction }) => seen.push([stage, fraction]),
  });
  expect(result).toMatchObject({
    rows: 700,
    routeRows: 200,
    logNormaliser: copula.logNormaliser,
    logNormaliserStandardError: copula.logNormaliserStandardError,
    normalisedBy: 'normaliser',
  });
  expect(result.routes.map(({ method }) => method)).toEqual(['classifier', 'ode', 'bound']);
  expect(new Set(seen.map(([stage]) => stage))).toEqual(
    new Set(['normaliser', 'classifier', 'ode', 'bound', 'sample', 'raw sample']),
  );
  const fractions = seen.map(([, fraction]) => fraction);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(fractions.at(-1)).toBe(1);
  // every route moves on the way, not only from one to the next
  for (const route of result.routes)
    expect(seen.filter(([stage]) => stage === route.method).length).toBeGreaterThan(1);

  // by hand
  const data = new Float64Array(400);
  for (let i = 0; i < 200; i++)
    for (const j of [0, 1]) data[2 * i + j] = rows.data[2 * Math.floor(3.5 * i + 1.75) + j]!;
  const even = matrix(data, 200, 2);
  const classifier = (await copula.logPdf(even)).map((value) => value - copula.logNormaliser!);
  const paired = (await copula.logPdf(even, { method: 'ode' })).map((value, i) => value - classifier[i]!);
  const mean = meanOf(paired);
  const variance = paired.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 199;
  expect(routeOf(result, 'classifier').mean).toBeCloseTo(meanOf(classifier), 10);
  const { difference } = routeOf(result, 'ode');
  expect(difference!.mean).toBeCloseTo(mean, 10);
  const standardError = Math.hypot(Math.sqrt(variance / 200), copula.logNormaliserStandardError!);
  expect(difference!.standardError).toBeCloseTo(standardError, 10);
  expect(difference!.allowed).toBeCloseTo(Math.max(3 * standardError, 0.01), 10);
  expect(difference!.within).toBe(Math.abs(mean) <= difference!.allowed);
  expect(result.verdict.favoured).toEqual(
    difference!.within
      ? null
      : {
          method: difference!.mean > 0 ? 'ode' : 'classifier',
          ahead: { mean: Math.abs(difference!.mean), standardError: difference!.standardError },
        },
  );
  expect(meanOf(await copula.logPdf(even, { method: 'bound' }))).toBeCloseTo(
    routeOf(result, 'bound').mean!,
    10,
  );

  await copula.estimateNormaliser({ seed: 3, particles: 64 });
  const again = await copula.certify(rows, { routeRows: 20, sampleRows: 1000 });
  expect(again.logNormaliser).toBe(copula.logNormaliser);
  expect(again.logNormaliser).not.toBe(result.logNormaliser);
});

test("a flow is normalised by its ODE, and its samples' margins are looked at twice", async () => {
  const copula = await fitCopula(crossed(1500, 0.8, 1), {
    kind: 'flow',
    hidden: 16,
    depth: 1,
    steps: 60,
    batch: 256,
  });
  copula.names = ['height', 'width'];
  const result = await copula.certify(crossed(300, 0.8, 5), {
    routeRows: 100,
    sampleRows: 5000,
    seed: 9n,
  });
  expect(result).toMatchObject({ kind: 'flow', logNormaliser: 0, normalisedBy: 'flow' });
  expect(result.routes.map(({ method }) => method)).toEqual(['ode', 'bound']);
  const { margins, verdict } = result;
  expect(margins).toMatchObject({ rows: 5000, seed: '9', level: 0.01 });
  expect(margins.criticalValue).toBeCloseTo(Math.sqrt(Math.log(400) / 10_000), 14);
  for (const kind of ['uniform', 'raw'] as const) {
    const z = await copula.sample(5000, { seed: 9, margins: kind, scale: 'gaussian', dtype: 'float64' });
    const u = await copula.sample(5000, { seed: 9, margins: kind, dtype: 'float64' });
    const byHand = [0, 1].map((j) => {
      const column = Float64Array.from({ length: 5000 }, (_, i) => u.data[2 * i + j]!).sort();
      const normal = Array.from({ length: 5000 }, (_, i) => z.data[2 * i + j]!);
      const mean = meanOf(normal);
      return {
        column: ['height', 'width'][j],
        distance: expect.closeTo(uniformDistance(column), 9),
        variance: expect.closeTo(normal.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 4999, 9),
      };
    });
    expect(margins[kind].columns).toEqual(byHand);
    const distances = margins[kind].columns!.map(({ distance }) => distance);
    expect(margins[kind].worst!.distance).toBe(Math.max(...distances));
  }
  expect(verdict.marginsUniform).toBe(true);
  expect(verdict.rawMarginsUniform).toBe(margins.raw.worst!.distance <= margins.criticalValue);
});

test('the published reflection network has no density: one route, no log Z', async () => {
  const options = { network: 'published', hidden: 8, depth: 2, steps: 20, batch: 64 } as const;
  const copula = await fitCopula(crossed(600, 0.5, 1), { kind: 'reflection', ...options });
  const result = await copula.certify(crossed(50, 0.5, 5), { sampleRows: 1000 });
  expect(result).toMatchObject({
    kind: 'reflection',
    logNormaliser: null,
    logNormaliserStandardError: null,
    normalisedBy: null,
    routes: [{ method: 'bound', difference: null }],
    verdict: { routesAgree: null },
  });
});

test('the distance of an empirical distribution from the uniform one', () => {
  expect(uniformDistance(Float64Array.of(0.25, 0.5, 0.75))).toBeCloseTo(0.25, 15);
  expect(uniformDistance(Float64Array.of(0.5, 0.6))).toBeCloseTo(0.5, 15);
  expect(uniformDistance(Float64Array.of(0.1, 0.2))).toBeCloseTo(0.8, 15);
});

test('bad input is named', async () => {
  const copula = new GaussianCopula(equi(2, 0.5), 2);
  const rows = [
    [0.5, 0.5],
    [0.2, 0.4],
    [0.1, 1],
  ];
  const value = { code: 'ERR_SKLAR_VALUE' };
  // also where the routes would leave the row out
  await expect(copula.certify(rows, { routeRows: 2 })).rejects.toMatchObject({
    ...value,
    message: expect.stringMatching(/strictly between 0 and 1 .* got 1 \(row 3, column 2\)/),
  });
  const good = rows.slice(0, 2);
  for (const [options, name] of [
    [{ routeRows: 1 }, 'routeRows'],
    [{ sampleRows: 1.5 }, 'sampleRows'],
    [{ tolerance: -1 }, 'tolerance'],
    [{ scale: 'data' as 'copula' }, 'scale'],
    [{ threads: -1 }, 'threads'],
  ] as const) {
    const message = expect.stringContaining(name);
    await expect(copula.certify(good, options)).rejects.toMatchObject({ ...value, message });
  }
  const shape = { code: 'ERR_SKLAR_SHAPE' };
  await expect(copula.certify([[0.5, 0.5]])).rejects.toMatchObject(shape);
  await expect(copula.certify([[0.5], [0.5]])).rejects.toMatchObject(shape);
  const controller = new AbortController();
  const onProgress = () => controller.abort();
  await expect(copula.certify(good, { signal: controller.signal, onProgress })).rejects.toMatchObject({
    name: 'AbortError',
  });
  copula.dispose();
  await expect(copula.certify(good)).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
});
