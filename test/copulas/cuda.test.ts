// Every kind on a CUDA device beside the CPU, through the API. Emulated devices included: SKLAR_CUDA=EMULATED npm run build.
import {
  type CdcCopula,
  type Copula,
  type FlowCopula,
  type ReflectionCopula,
  devices,
  fitCopula,
  integrate,
} from '../../lib';
import { crossed } from '../helpers/data';

const { usable } = devices().cuda;
const cpu = { device: 'cpu', threads: 1 } as const;
const cuda = { device: 'cuda', precision: 'fp32' } as const;

function largest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));
}

(usable ? describe : describe.skip)('on a CUDA device', () => {
  const u = crossed(400, 0.9, 1);
  const rows = crossed(19, 0.9, 2);
  const shape = { hidden: 16, depth: 1, batch: 32, steps: 30, seed: 3 } as const;
  const kinds = [
    ['cdc', { ...shape, kind: 'cdc', levels: 4 }],
    ['flow', { ...shape, kind: 'flow' }],
    ['reflection', { ...shape, kind: 'reflection' }],
  ] as const;
  const models = new Map<string, Copula>();
  beforeAll(async () => {
    for (const [kind, options] of kinds) models.set(kind, await fitCopula(u, { ...options, ...cpu }));
  });
  afterAll(() => models.forEach((model) => model.dispose()));

  describe.each(kinds)('%s', (kind) => {
    test('gives the same log densities by every route', async () => {
      const model = models.get(kind)!;
      for (const method of model.capabilities.logPdf) {
        const fixed = { solver: 'rk4', steps: 2 } as const;
        const route = { bound: { draws: 2 }, ode: fixed, classifier: {}, potential: {}, exact: {} }[method];
        const there = await model.logPdf(rows, { ...cuda, method, ...route });
        expect(largest(await model.logPdf(rows, { ...cpu, method, ...route }), there)).toBeLessThan(1e-3);
      }
    });

    test('samples the same rows', async () => {
      const model = models.get(kind)!;
      const how = { margins: 'raw', seed: 5, scale: 'gaussian', dtype: 'float64', steps: 4 } as const;
      const here = await model.sample(50, { ...how, ...cpu });
      const there = await model.sample(50, { ...how, ...cuda });
      expect(largest(here.data, there.data)).toBeLessThan(1e-3);
    });

    test('integrates to the same place', async () => {
      const field = models.get(kind) as CdcCopula | FlowCopula | ReflectionCopula;
      const how = { direction: 'likelihood', start: rows, solver: 'rk4', steps: 2 } as const;
      const here = await integrate(field, { ...how, ...cpu });
      const there = await integrate(field, { ...how, ...cuda });
      expect(largest(here.values.data, there.values.data)).toBeLessThan(1e-3);
      expect(there.evaluations).toBe(here.evaluations);
      expect(there).toMatchObject({ device: 'cuda:0', precision: 'fp32' });
    });
  });

  test('the normaliser and conditional samples of a CDC', async () => {
    const model = models.get('cdc') as CdcCopula;
    const run = { particles: 64, islands: 2, moves: 1, seed: 4 };
    const logZ = async (on: typeof cpu | typeof cuda) => model.estimateNormaliser({ ...run, ...on });
    const [here, there] = [await logZ(cpu), await logZ(cuda)];
    expect(Math.abs(here.logZ - there.logZ)).toBeLessThan(1e-3 + 3 * here.standardError);
    const given = (on: typeof cpu | typeof cuda) =>
      model.sampleConditional({ 0: 0.8 }, 16, { ...run, ...on });
    const [a, b] = [await given(cpu), await given(cuda)];
    expect(Math.abs(a.logMarginalDensity! - b.logMarginalDensity!)).toBeLessThan(0.2);
    expect(b.rows.rows).toBe(16);
  });
});
