/** What docs/solvers.md says of the defaults, on fewer rows: nearer to the exact map than denoising steps at an eighth of the cost. */
import { ClosedFormCopula, GaussianCopula, type IntegrateOptions, integrate } from '../../lib';

const equicorrelated = (dim: number, rho: number) =>
  Array.from({ length: dim }, (_, i) => Array.from({ length: dim }, (_, j) => (i === j ? 1 : rho)));

/** Root mean square distance of the rows from where tsit5 takes the same starts, by solver. */
async function errorsOf(copula: ClosedFormCopula, solvers: Record<string, IntegrateOptions>, rows = 300) {
  const { dim } = copula;
  const reflection = copula.processes[0] === 'reflection';
  const scale = reflection ? 'copula' : 'gaussian';
  const identity = Float64Array.from(equicorrelated(dim, 0).flat());
  const start = await new GaussianCopula(identity, dim).sample(rows, { seed: 3, scale, dtype: 'float64' });
  const run = (options: IntegrateOptions) => integrate(copula, { start, scale, threads: 1, ...options });
  const truth = (await run({ solver: 'tsit5', rtol: 1e-10, atol: 1e-10 })).values.data;
  const entries = Object.entries(solvers).map(async ([name, options]) => {
    const { values, mostEvaluations } = await run(options);
    const squares = Float64Array.from(values.data, (x, i) => (x - truth[i]!) ** 2);
    const square = squares.reduce((sum, x) => sum + x, 0);
    return [name, { error: Math.sqrt(square / truth.length), evaluations: mostEvaluations }] as const;
  });
  return { truth, start, errors: Object.fromEntries(await Promise.all(entries)) };
}

test.each([
  [
    'a mixture',
    ClosedFormCopula.gaussianMixture({
      weights: [0.5, 0.5],
      correlations: [equicorrelated(2, 0.9), equicorrelated(2, -0.9)],
    }),
  ],
  ['a three-way FGM', ClosedFormCopula.fgm({ dim: 3, theta: 1 })],
  [
    'a Gaussian in two columns',
    ClosedFormCopula.gaussianMixture({ weights: [1], correlations: [equicorrelated(2, 0.9)] }),
  ],
  [
    'a Gaussian in ten columns',
    ClosedFormCopula.gaussianMixture({ weights: [1], correlations: [equicorrelated(10, 0.7)] }),
  ],
])('on %s ab2 with 16 evaluations is nearer than ddim with 128', async (_, copula) => {
  const { errors } = await errorsOf(copula, {
    ab2: { solver: 'ab2', steps: 16 },
    theta: { solver: 'ab2', clock: 'theta', steps: 16 },
    ddim: { solver: 'ddim', steps: 128 },
  });
  expect(errors.ab2!.evaluations).toBe(16);
  expect(errors.ddim!.evaluations).toBe(128);
  expect(errors.ab2!.error).toBeLessThan(errors.ddim!.error);
  expect(errors.theta!.error).toBeLessThan(errors.ddim!.error);
});

test('the reference map of a Gaussian copula is the root of its correlations', async () => {
  const rho = 0.9;
  const copula = ClosedFormCopula.gaussianMixture({ weights: [1], correlations: [equicorrelated(2, rho)] });
  const { truth, start } = await errorsOf(copula, {}, 50);
  const [sum, difference] = [Math.sqrt(1 + rho), Math.sqrt(1 - rho)];
  for (let i = 0; i < 50; i++) {
    const [a, b] = [start.data[2 * i]!, start.data[2 * i + 1]!];
    expect(truth[2 * i]!).toBeCloseTo((sum * (a + b) + difference * (a - b)) / 2, 8);
  }
});

test('on the reflection process the quadratic grid is worth four uniform ones to heun', async () => {
  const copula = ClosedFormCopula.cosine({
    terms: [
      { amplitude: 0.5, frequencies: [1, 1, 0] },
      { amplitude: -0.3, frequencies: [1, 2, 1] },
    ],
  });
  const { errors } = await errorsOf(copula, {
    few: { steps: 8 },
    many: { steps: 32, grid: 'time' },
    euler: { solver: 'euler', steps: 128 },
  });
  expect(errors.few!.evaluations).toBe(16);
  expect(errors.few!.error).toBeLessThan(errors.many!.error);
  expect(errors.few!.error).toBeLessThan(errors.euler!.error);
});
