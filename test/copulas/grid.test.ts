/** Grids by data: docs/mathematics.md, A.12. */
import {
  ClosedFormCopula,
  type Copula,
  type IntegrateOptions,
  fitCopula,
  integrate,
  loadModel,
} from '../../lib';
import { resolveIntegration } from '../../lib/copulas/fields/solvers';
import { readModelFile, writeModelFile } from '../../lib/model/model-file';
import { TemporaryFolder } from '../data/support';
import { equicorrelated } from '../helpers/data';

const folder = new TemporaryFolder();
const u = equicorrelated(600, 3, 0.7, 1);
const small = { hidden: 16, depth: 1, steps: 60, batch: 128, validateEvery: 30, seed: 1 } as const;
const matrixOf = (dim: number, rho: number) =>
  Array.from({ length: dim }, (_, i) => Array.from({ length: dim }, (_, j) => (i === j ? 1 : rho)));
const gaussian = () => ClosedFormCopula.gaussianMixture({ weights: [1], correlations: [matrixOf(3, 0.8)] });
const nodesOf = ({ grids }: Copula) => [...grids.values()].map((nodes) => Array.from(nodes));

describe('on closed forms', () => {
  const cosine = () =>
    ClosedFormCopula.cosine({
      terms: [
        { amplitude: 0.6, frequencies: [1, 1, 0] },
        { amplitude: -0.4, frequencies: [0, 2, 1] },
      ],
    });
  test.each<[string, () => ClosedFormCopula, IntegrateOptions]>([
    ['a Gaussian copula, ab2 in w, 6', gaussian, { solver: 'ab2', steps: 6 }],
    ['a Gaussian copula, ab2 in w, 8', gaussian, { solver: 'ab2', steps: 8 }],
    ['a Gaussian copula, ab2 in theta, 8', gaussian, { solver: 'ab2', clock: 'theta', steps: 8 }],
    ['a Gaussian copula, heun, 4', gaussian, { solver: 'heun', steps: 4 }],
    ['cosines, ab2, 8', cosine, { solver: 'ab2', steps: 8 }],
  ])('%s steps end nearer to the exact map of other rows', async (_, make, options) => {
    const copula = make();
    const run = async (more: IntegrateOptions) =>
      Array.from((await integrate(copula, { rows: 2000, seed: 3, threads: 1, ...more })).values.data);
    const truth = await run({ solver: 'tsit5', rtol: 1e-9, atol: 1e-9 });
    const errorOf = async (more: IntegrateOptions) => {
      const ends = await run({ ...options, ...more });
      return Math.sqrt(ends.reduce((sum, x, i) => sum + (x - truth[i]!) ** 2, 0) / ends.length);
    };
    expect(await errorOf({ grid: 'data' })).toBeLessThan(0.8 * (await errorOf({})));
    const [nodes] = nodesOf(copula);
    const plan = resolveIntegration(options, {
      ...{ process: copula.processes[0]!, levels: null },
      reference: copula.processes[0] === 'ou' ? Math.PI / 2 : nodes![0]!,
    });
    expect(nodes).toHaveLength(plan.nodes.length);
    expect([nodes![0], nodes!.at(-1)]).toEqual([plan.nodes[0], 0]);
    expect(nodes!.every((node, i) => i === 0 || node < nodes![i - 1]!)).toBe(true);
  });

  test('any number of threads finds the same nodes, once', async () => {
    const [one, two] = [gaussian(), gaussian()];
    const options = { rows: 10, grid: 'data', steps: 7 } as const;
    const first = await integrate(one, { ...options, threads: 1 });
    const second = await integrate(two, { ...options, threads: 2 });
    expect(nodesOf(one)).toEqual(nodesOf(two));
    expect([...first.values.data]).toEqual([...second.values.data]);
    const [known] = one.grids.values();
    await integrate(one, options);
    expect([...one.grids.values()]).toEqual([known]);
    // one step has nothing to choose
    await integrate(one, { ...options, steps: 1 });
    expect(nodesOf(one)[1]).toEqual([Math.PI / 2, 0]);
  });
});

test.each(['cdc', 'flow', 'reflection'] as const)(
  'a %s stores them, and samples to the bit',
  async (kind) => {
    const copula = await fitCopula(u, { kind, ...small });
    const options = { grid: 'data', steps: 5, seed: 9, dtype: 'float64' } as const;
    const sample = await copula.sample(300, { ...options, threads: 1 });
    expect([...(await copula.sample(300, { ...options, threads: 2 })).data]).toEqual([...sample.data]);
    expect((await copula.sample(300, { ...options, grid: undefined })).data).not.toEqual(sample.data);
    const file = folder.file(`${kind}.safetensors`);
    await copula.save(file);
    const again = await loadModel(file);
    expect(nodesOf(again)).toEqual(nodesOf(copula));
    expect(nodesOf(again)[0]).toHaveLength(6);
    expect([...(await again.sample(300, options)).data]).toEqual([...sample.data]);

    const { document, tensors } = await readModelFile(file);
    const name = [...tensors.keys()].find((key) => key.startsWith('grid.'))!;
    const whole = tensors.get(name)!;
    const data = Float64Array.from(whole.data as Float64Array);
    for (const nodes of [data.toReversed(), data.map((node) => node + 1e-3), data.with(1, NaN)]) {
      const damaged = new Map([...tensors, [name, { ...whole, data: nodes }]]);
      await writeModelFile(file, { document: document!, tensors: damaged });
      await expect(loadModel(file)).rejects.toMatchObject({
        code: 'ERR_SKLAR_FORMAT',
        message: expect.stringContaining(`"${name}" is damaged`) as string,
      });
    }
  },
);

test('what does not fit is refused', async () => {
  const copula = gaussian();
  const refused = (options: IntegrateOptions, message: string) =>
    expect(integrate(copula, { rows: 1, grid: 'data', ...options })).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringContaining(message) as string,
    });
  await refused({ solver: 'ddim' }, "grid 'data' belongs to ab2, heun");
  await refused({ noise: true }, "not to 'exponential-em'");
  await refused({ steps: 33 }, 'at most 32 steps, got 33');
  await refused({ correctorSteps: 1 }, 'without correctorSteps');
  await refused({ solver: 'tsit5', rtol: 1e-3 }, 'either tolerances');
  await expect(
    integrate(copula, { start: [[0.5, 0.5, 0.5]], direction: 'likelihood', solver: 'ab2', grid: 'data' }),
  ).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE', message: "grid 'data' is chosen for samples alone" });
});
