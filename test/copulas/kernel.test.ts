import {
  type ClassicalCopula,
  FamilyCopula,
  KernelCopula,
  StudentCopula,
  fitCopula,
  kendall,
  loadModel,
  normalCdf,
  normalQuantile,
  toRows,
} from '../../lib';
import { readModelFile, writeModelFile } from '../../lib/model/model-file';
import { TemporaryFolder } from '../data/support';
import { equicorrelated } from '../helpers/data';
import { expectIndependentUniforms, largest } from '../helpers/statistics';

const folder = new TemporaryFolder();
const double = { dtype: 'float64' } as const;
const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

const truth = new FamilyCopula('clayton', { theta: 2 }, { rotation: 90 });
let copula: KernelCopula;
beforeAll(async () => {
  copula = await fitCopula(await truth.sample(1000, { seed: 1, ...double }), { kind: 'kernel' });
});

test('the table is the local likelihood estimate, its rows and columns scaled', async () => {
  const rows = toRows(equicorrelated(40, 2, 0.5, 3));
  const { nodes, table: density } = await fitCopula(rows, { kind: 'kernel', bandwidth: 0.8 });
  const z = rows.map((row) => Array.from(normalQuantile(Float64Array.from(row))) as [number, number]);
  const n = z.length;
  const products = (i: 0 | 1, j: 0 | 1) => z.reduce((sum, row) => sum + row[i] * row[j], 0);
  const rho = products(0, 1) / Math.sqrt(products(0, 0) * products(1, 1));
  const scale = 1.5 * n ** -0.2 * 0.8 ** 2;
  const kernel = (s: number, t: number) =>
    Math.exp((-0.5 * (s * s - 2 * rho * s * t + t * t)) / (scale * (1 - rho * rho)));
  const estimate = (x: number, y: number) => {
    const at = z.map(([a, b]) => ({ s: a - x, t: b - y, w: kernel(a - x, b - y) }));
    const mass = at.reduce((sum, { w }) => sum + w, 0);
    // of effective rows one more has the law that N(0, R) times the kernel has
    const own = 1 / (1 + mass ** 2 / at.reduce((sum, { w }) => sum + w * w, 0));
    const spread = scale / (1 + scale);
    const moment = (f: (s: number, t: number) => number, guide: number) =>
      ((1 - own) * at.reduce((sum, { s, t, w }) => sum + w * f(s, t), 0)) / mass + own * guide;
    const [gs, gt] = [-spread * x, -spread * y];
    const s = moment((a) => a, gs);
    const t = moment((_, b) => b, gt);
    const ss = moment((a) => a * a, spread + gs * gs) - s * s;
    const st = moment((a, b) => a * b, spread * rho + gs * gt) - s * t;
    const tt = moment((_, b) => b * b, spread + gt * gt) - t * t;
    const det = ss * tt - st * st;
    const form = (s * s * tt - 2 * s * t * st + t * t * ss) / det;
    const c = (mass / n / Math.sqrt(det)) * Math.exp(0.5 * (x * x + y * y - form));
    return (n * c + 1) / (n + 1);
  };
  const count = nodes.length;
  const at = (table: (a: number, b: number) => number, a: number, b: number) =>
    Math.log((table(a, b) * table(0, 0)) / (table(a, 0) * table(0, b)));
  for (const a of [1, 10, 31, 50, 63]) {
    for (const b of [1, 7, 33, 63]) {
      const found = at((i, j) => density[i * count + j]!, a, b);
      expect(found).toBeCloseTo(
        at((i, j) => estimate(nodes[i]!, nodes[j]!), a, b),
        9,
      );
    }
  }
});

test('margins are uniform and the density integrates to one', async () => {
  const v = Array.from({ length: 19 }, (_, k) => (k + 1) / 20);
  expect(largest(await copula.cdf(v.map((value) => [1 - 1e-15, value])), v)).toBeLessThan(1e-12);
  expect(largest(await copula.cdf(v.map((value) => [value, 1 - 1e-15])), v)).toBeLessThan(1e-12);
  // between nodes the density is bilinear: the rule of the trapezoid is exact
  const p = normalCdf(copula.nodes);
  const knots = [0, ...p, 1];
  const pdf = await copula.pdf(knots.flatMap((a) => knots.map((b) => [inside(a), inside(b)])));
  let integral = 0;
  for (let a = 0; a + 1 < knots.length; a++) {
    for (let b = 0; b + 1 < knots.length; b++) {
      const area = (knots[a + 1]! - knots[a]!) * (knots[b + 1]! - knots[b]!);
      const at = (i: number, j: number) => pdf[(a + i) * knots.length + b + j]!;
      integral += (area * (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1))) / 4;
    }
  }
  expect(integral).toBeCloseTo(1, 12);
});
const inside = (p: number) => Math.min(Math.max(p, 1e-300), 1 - 1e-16);

test('h is the derivative of the cdf, the density that of h; inverses and sides', async () => {
  const u = toRows(await truth.sample(100, { seed: 4, ...double }));
  const h = [await copula.hfunc1(u), await copula.hfunc2(u)];
  const pdf = await copula.pdf(u);
  for (const j of [0, 1] as const) {
    const step = 1e-6;
    const moved = (sign: number, which: number) =>
      u.map((row) => row.map((value, k) => (k === which ? value * (1 + sign * step) : value)));
    const slope = (up: Float64Array, down: Float64Array, which: number) =>
      u.map((row, i) => (up[i]! - down[i]!) / (2 * step * row[which]!));
    expect(
      largest(slope(await copula.cdf(moved(1, j)), await copula.cdf(moved(-1, j)), j), h[j]!),
    ).toBeLessThan(1e-6);
    const along = j === 0 ? copula.hfunc1.bind(copula) : copula.hfunc2.bind(copula);
    const c = slope(await along(moved(1, 1 - j)), await along(moved(-1, 1 - j)), 1 - j);
    c.forEach((value, i) => expect(Math.abs(value / pdf[i]! - 1)).toBeLessThan(1e-4));
  }
  const back = await copula.hinv1(u.map(([a], i) => [a!, h[0]![i]!]));
  const back2 = await copula.hinv2(u.map(([, b], i) => [h[1]![i]!, b!]));
  u.forEach(([a, b], i) => {
    expect(Math.abs(back[i]! - b!)).toBeLessThan(1e-11);
    expect(Math.abs(back2[i]! - a!)).toBeLessThan(1e-11);
  });
  for (const p of [1e-12, 1e-5, 1 - 1e-9]) {
    const [v] = await copula.hinv1([[0.999, p]]);
    const [again] = await copula.hfunc1([[0.999, v!]]);
    expect(Math.abs(again! / p - 1)).toBeLessThan(1e-7);
  }
  const sides = [
    [0, 0.4],
    [0.4, 0],
    [1, 0.4],
    [0.4, 1],
  ];
  expect(Array.from(await copula.cdf(sides))).toEqual([0, 0, 0.4, 0.4]);
  const edge = await copula.hfunc1(sides);
  expect([edge[1], edge[3]]).toEqual([0, 1]);
  const near = await copula.hfunc1([
    [1e-200, 0.4],
    [1 - 1e-16, 0.4],
  ]);
  expect(largest([edge[0]!, edge[2]!], near)).toBeLessThan(1e-12);
  const corners = await copula.logPdf(
    [
      [-30, -30],
      [30, 30],
      [-8, 8],
      [30, -30],
    ],
    { scale: 'gaussian' },
  );
  expect(corners.every(Number.isFinite)).toBe(true);
});

test('draws are those of the copula; tau is that of many draws', async () => {
  const drawn = await copula.sample(20_000, { seed: 2, ...double });
  expectIndependentUniforms(toRows(await copula.rosenblatt(drawn)));
  expect(await copula.sample(20_000, { seed: 2, threads: 3, ...double })).toEqual(drawn);
  expect(Math.abs((await kendall(drawn)).data[1]! - copula.tau())).toBeLessThan(4 * Math.sqrt(2 / 20_000));
  expect(copula.tau(1, 0)).toBe(copula.tau());
  expect(copula.tailDependence()).toEqual({ lowerLower: 0, lowerUpper: 0, upperLower: 0, upperUpper: 0 });
});

test.each([
  ['a turned Clayton copula', truth, { kind: 'clayton', rotation: 90 } as const, 0.03],
  [
    'a Student copula',
    new StudentCopula(Float64Array.of(1, 0.7, 0.7, 1), 2, 3),
    { kind: 'gaussian' } as const,
    -0.02,
  ],
])('%s: held-out rows', async (_, source, rival, most) => {
  const rows = await source.sample(1000, { seed: 1, ...double });
  const kernel = await fitCopula(rows, { kind: 'kernel' });
  const other = await fitCopula(rows, rival);
  const heldOut = await source.sample(10_000, { seed: 7, ...double });
  const [best, own, theirs] = [source, kernel, other].map((each) => each.logPdf(heldOut)) as [
    Promise<Float64Array>,
    Promise<Float64Array>,
    Promise<Float64Array>,
  ];
  const loss = mean(await best) - mean(await own);
  expect(loss).toBeGreaterThan(0);
  expect(loss).toBeLessThan(0.04);
  // nats behind the truth's own family, ahead of the wrong one
  expect(mean(await theirs) - mean(await own)).toBeLessThan(most);
});

test('the bandwidth is the best of its neighbours for rows left out', async () => {
  expect(Math.log2(copula.bandwidth) * 2).toBeCloseTo(Math.round(Math.log2(copula.bandwidth) * 2), 12);
  const rows = await truth.sample(1000, { seed: 1, ...double });
  const heldOut = await truth.sample(10_000, { seed: 3, ...double });
  const scores: number[] = [];
  for (const factor of [1, 3, 1 / 3]) {
    const fitted = await fitCopula(rows, { kind: 'kernel', bandwidth: factor * copula.bandwidth });
    scores.push(mean(await fitted.logPdf(heldOut)));
  }
  expect(scores[0]).toBeGreaterThan(Math.max(scores[1]!, scores[2]!));
});

test('rows on a line and independent rows', async () => {
  const line = Array.from({ length: 100 }, (_, i) => [(i + 0.5) / 100, (i + 0.5) / 100]);
  expect((await fitCopula(line, { kind: 'kernel' })).tau()).toBeGreaterThan(0.9);
  const none = await new FamilyCopula('independence', {}).sample(300, { seed: 2, ...double });
  const flat = await fitCopula(none, { kind: 'kernel' });
  expect(Math.abs(mean(await flat.logPdf(none)))).toBeLessThan(0.05);
});

test('save and load keep everything; a damaged table is refused', async () => {
  const file = folder.file('kernel.safetensors');
  await copula.save(file);
  using loaded = (await loadModel(file)) as ClassicalCopula;
  expect(loaded).toBeInstanceOf(KernelCopula);
  expect(loaded.info()).toEqual(copula.info());
  expect(loaded.info()).toMatchObject({
    config: { nodes: 64, bandwidth: copula.bandwidth },
    training: { rows: 1000, crossValidatedMeanLogPdf: expect.any(Number) },
  });
  expect([loaded.aic, loaded.bic]).toEqual([null, null]);
  const u = await truth.sample(20, double);
  expect(await loaded.logPdf(u)).toEqual(await copula.logPdf(u));
  const { document, tensors } = await readModelFile(file);
  const density = Float64Array.from(tensors.get('density')!.data as Float64Array);
  for (const [value, what] of [
    [-1, 'positive'],
    [9, 'uniform'],
  ] as const) {
    density[70] = value;
    await writeModelFile(file, {
      document: document!,
      tensors: new Map([
        ['nodes', { shape: [64], data: copula.nodes }],
        ['density', { shape: [64, 64], data: density }],
      ]),
    });
    await expect(loadModel(file)).rejects.toThrow(what);
  }
});

test('bad input names the culprit', async () => {
  await expect(fitCopula(equicorrelated(50, 3, 0.5, 1), { kind: 'kernel' })).rejects.toMatchObject({
    code: 'ERR_SKLAR_SHAPE',
    message: expect.stringContaining('expected 2 columns for a kernel copula, got 3'),
  });
  const u = equicorrelated(50, 2, 0.5, 1);
  await expect(fitCopula(u, { kind: 'kernel', bandwidth: 0 })).rejects.toThrow('bandwidth');
  await expect(fitCopula(u, { kind: 'kernel', rotation: 90 } as never)).rejects.toThrow('rotation');
  await expect(fitCopula(toRows(u).slice(0, 7), { kind: 'kernel' })).rejects.toThrow('8 rows');
  expect(() => KernelCopula.fromTable(Float64Array.of(0, -1), Float64Array.of(1, 1, 1, 1), 1)).toThrow(
    'nodes',
  );
  expect(() => KernelCopula.fromTable(Float64Array.of(0, 1), Float64Array.of(1, 1), 1)).toThrow(
    'nodes x nodes',
  );
});
