import { ClosedFormCopula, GaussianCopula, kendall, toRows } from '../../lib';

const equi = (rho: number) => [
  [1, rho, rho],
  [rho, 1, rho],
  [rho, rho, 1],
];
const mixture = () =>
  ClosedFormCopula.gaussianMixture({ weights: [0.6, 0.4], correlations: [equi(0.7), equi(-0.3)] });
const cosine = () =>
  ClosedFormCopula.cosine({
    terms: [
      { amplitude: 0.5, frequencies: [1, 1, 0] },
      { amplitude: -0.3, frequencies: [1, 2, 1] },
    ],
  });
const fgm = () => ClosedFormCopula.fgm({ dim: 3, theta: -0.8, columns: [2, 0] });

test('log densities equal the formulas', async () => {
  const u = [
    [0.2, 0.7, 0.4],
    [0.9, 0.95, 0.01],
  ];
  const { PI, cos, log } = Math;
  const byFgm = await fgm().logPdf(u);
  const byCosine = await cosine().logPdf(u);
  u.forEach(([a, b, c], i) => {
    expect(byFgm[i]).toBeCloseTo(log(1 - 0.8 * (1 - 2 * a!) * (1 - 2 * c!)), 13);
    const waves = 0.5 * cos(PI * a!) * cos(PI * b!) - 0.3 * cos(PI * a!) * cos(2 * PI * b!) * cos(PI * c!);
    expect(byCosine[i]).toBeCloseTo(log(1 + waves), 13);
  });
  const parts = await Promise.all(
    [0.7, -0.3].map((rho) => new GaussianCopula(Float64Array.from(equi(rho).flat()), 3).logPdf(u)),
  );
  const byMixture = await mixture().logPdf(u);
  u.forEach((_, i) => {
    expect(byMixture[i]).toBeCloseTo(log(0.6 * Math.exp(parts[0]![i]!) + 0.4 * Math.exp(parts[1]![i]!)), 10);
  });
  expect(mixture().normalised).toBe(true);
});

test.each([
  ['mixture', mixture],
  ['fgm', fgm],
  ['cosine', cosine],
])(
  'samples of a %s copula join, for any threads and batches, and score alike on both scales',
  async (_, make) => {
    using copula = make();
    const whole = await copula.sample(500, { seed: 5, dtype: 'float64', threads: 1 });
    const rest = await copula.sample(200, { seed: 5, firstRow: 300, dtype: 'float64', threads: 2 });
    expect(toRows(rest)).toEqual(toRows(whole).slice(300));
    const batches = [];
    for await (const batch of copula.sampleStream(500, { seed: 5, dtype: 'float64', batch: 77 })) {
      batches.push(...toRows(batch));
    }
    expect(batches).toEqual(toRows(whole));
    const z = await copula.sample(500, { seed: 5, dtype: 'float64', scale: 'gaussian' });
    const byU = await copula.logPdf(whole);
    (await copula.logPdf(z, { scale: 'gaussian' })).forEach((value, i) =>
      expect(value).toBeCloseTo(byU[i]!, 8),
    );
  },
);

test("an FGM pair has Kendall's tau 2 theta / 9", async () => {
  const copula = ClosedFormCopula.fgm({ dim: 2, theta: 0.9 });
  const tau = await kendall(await copula.sample(40_000, { seed: 2, dtype: 'float64' }));
  expect(Math.abs(tau.data[1]! - 0.2)).toBeLessThan(4 * (2 / 3 / Math.sqrt(40_000)));
});

test('marginals are the copulas of the columns', async () => {
  const u = [[0.2, 0.7]];
  const at = async (copula: ClosedFormCopula | null, rows = u) => (await copula!.logPdf(rows))[0]!;
  expect(await at(mixture().marginal([2, 0]))).toBeCloseTo(
    await at(
      ClosedFormCopula.gaussianMixture({
        weights: [0.6, 0.4],
        correlations: [
          [1, 0.7, 0.7, 1],
          [1, -0.3, -0.3, 1],
        ],
      }),
    ),
    12,
  );
  expect(await at(fgm().marginal([0, 2]))).toBeCloseTo(Math.log(1 - 0.8 * 0.6 * -0.4), 12);
  expect(fgm().marginal([0, 1])).toBeNull();
  expect(cosine().marginal([1, 2])).toBeNull();
  expect(await at(cosine().marginal([1, 0]))).toBeCloseTo(
    Math.log(1 + 0.5 * Math.cos(0.2 * Math.PI) * Math.cos(0.7 * Math.PI)),
    12,
  );
  expect(
    Array.from(
      new GaussianCopula(Float64Array.of(1, 0.1, 0.2, 0.1, 1, 0.3, 0.2, 0.3, 1), 3).marginal([2, 1])
        .correlation,
    ),
  ).toEqual([1, 0.3, 0.3, 1]);
});

test('fields are given for the processes of the family', () => {
  expect(mixture().processes).toEqual(['ou']);
  expect(fgm().fieldHandle('reflection')).toBeDefined();
  expect(() => cosine().fieldHandle('ou')).toThrow(/expected one of reflection/);
  expect(new GaussianCopula(Float64Array.of(1, 0.5, 0.5, 1), 2).fieldHandle()).toBeDefined();
});

test('what is no copula is refused by name', async () => {
  const value = { code: 'ERR_SKLAR_VALUE' };
  const shape = { code: 'ERR_SKLAR_SHAPE' };
  const refused = (body: () => unknown, error: { code: string }, message: RegExp) =>
    expect(body).toThrow(expect.objectContaining({ ...error, message: expect.stringMatching(message) }));
  const of = (weights: number[], ...correlations: number[][]) =>
    ClosedFormCopula.gaussianMixture({ weights, correlations });
  refused(() => of([0.5, 0.4], [1, 0, 0, 1], [1, 0, 0, 1]), value, /sum of 0.9/);
  refused(() => of([1, 0], [1, 0, 0, 1], [1, 0, 0, 1]), value, /weight 2/);
  refused(() => of([1], [1, 0, 0, 1], [1, 0, 0, 1]), shape, /1 weights and 2/);
  refused(() => of([1], [1, 0, 0]), shape, /correlation 1/);
  refused(
    () => of([1], [1, 0.9, -0.9, 0.9, 1, 0.9, -0.9, 0.9, 1]),
    value,
    /correlation 1: .*positive definite/,
  );
  refused(() => of([1], [1, 0.2, 0.3, 1]), value, /row 2, column 1/);
  refused(() => ClosedFormCopula.fgm({ dim: 2, theta: 1.01 }), value, /theta/);
  refused(() => ClosedFormCopula.fgm({ dim: 3, theta: 1, columns: [0, 0] }), value, /columns/);
  refused(() => ClosedFormCopula.fgm({ dim: 3, theta: 1, columns: [0, 3] }), value, /a column of columns/);
  const terms = (...list: [number, number[]][]) =>
    ClosedFormCopula.cosine({ terms: list.map(([amplitude, frequencies]) => ({ amplitude, frequencies })) });
  refused(() => terms([0.6, [1, 1]], [-0.5, [2, 1]]), value, /sum of 1.1/);
  refused(() => terms([0.6, [1, 0]]), value, /term 1, got \[1,0\]/);
  refused(() => terms([0.6, [1, 1]], [0.1, [1, 1, 1]]), shape, /term 2/);
  refused(() => terms(), shape, /at least one term/);
  const copula = fgm();
  await expect(copula.sample(3, { steps: 4 })).rejects.toMatchObject(value);
  await expect(copula.logPdf([[0.5, 1, 0.5]])).rejects.toMatchObject({
    ...value,
    message: expect.stringMatching(/row 1, column 2/),
  });
  await expect(copula.save('never.safetensors')).rejects.toMatchObject(value);
  copula.dispose();
  await expect(copula.sample(3)).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
});
