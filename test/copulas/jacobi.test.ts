import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { ClosedFormCopula, type FlowCopula, fitCopula, integrate, loadModel } from '../../lib';

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, x) => sum + x, 0) / values.length;

describe.each([
  { dim: 2, theta: 0.9 },
  { dim: 3, theta: -0.8 },
])('the exact field of an FGM copula under the Jacobi process, $dim columns', ({ dim, theta }) => {
  const fgm = ClosedFormCopula.fgm({ dim, theta });
  const field = { dim, fieldHandle: () => fgm.fieldHandle('jacobi') };

  test('its likelihood is the density', async () => {
    const u = await fgm.sample(200, { seed: 1, dtype: 'float64' });
    const exact = await fgm.logPdf(u);
    const options = { direction: 'likelihood', start: u, rtol: 1e-9, atol: 1e-9, threads: 1 } as const;
    const { logPdf } = await integrate(field, options);
    for (let i = 0; i < 200; i++) expect(Math.abs(logPdf![i]! - exact[i]!)).toBeLessThan(1e-7);
    const probed = await integrate(field, { ...options, trace: 'hutch++', probes: 3 * dim });
    for (let i = 0; i < 200; i++) expect(Math.abs(probed.logPdf![i]! - exact[i]!)).toBeLessThan(1e-7);
  });

  test('its flow draws rows of the copula', async () => {
    const rows = 20_000;
    const { values } = await integrate(field, { rows, seed: 3, threads: 1 });
    let product = 0;
    for (let i = 0; i < rows; i++) {
      let one = 1;
      for (let j = 0; j < dim; j++) one *= 1 - 2 * values.data[i * dim + j]!;
      product += one / rows;
    }
    // E prod (1 - 2 U) = theta / 3^d
    expect(Math.abs(product - theta / 3 ** dim)).toBeLessThan(4 / Math.sqrt(rows * 3 ** dim));
    expect(values.data.every((x) => x > 0 && x < 1)).toBe(true);
  });
});

test('solvers that add noise, and clocks of other processes, do not fit it', async () => {
  const fgm = ClosedFormCopula.fgm({ dim: 2, theta: 0.5 });
  const field = { dim: 2, fieldHandle: () => fgm.fieldHandle('jacobi') };
  await expect(integrate(field, { rows: 5, solver: 'euler-maruyama' })).rejects.toThrow(
    "solver 'euler-maruyama' does not fit the jacobi process",
  );
  await expect(integrate(field, { rows: 5, correctorSteps: 1 })).rejects.toThrow(
    'correctorSteps do not fit the jacobi process',
  );
  await expect(integrate(field, { rows: 5, clock: 'theta' })).rejects.toThrow('jacobi process');
});

describe('a flow along its paths', () => {
  const fgm = ClosedFormCopula.fgm({ dim: 2, theta: 1 });
  let flow: FlowCopula;
  beforeAll(async () => {
    const u = await fgm.sample(4000, { seed: 5, dtype: 'float64' });
    flow = await fitCopula(u, {
      kind: 'flow',
      process: 'jacobi',
      hidden: 32,
      depth: 2,
      members: 1,
      weighting: 'uniform',
      steps: 600,
      batch: 512,
      seed: 2,
    });
  }, 120_000);

  test('has nearly the density of the data, normalised, and a bound below it', async () => {
    const fresh = await fgm.sample(4000, { seed: 6, dtype: 'float64' });
    const exact = await fgm.logPdf(fresh);
    const learned = await flow.logPdf(fresh);
    expect(Math.abs(mean(learned) - mean(exact))).toBeLessThan(0.012);
    const grid = Float64Array.from({ length: 2 * 1600 }, (_, k) =>
      k % 2 === 0 ? (Math.floor(k / 80) + 0.5) / 40 : (((k - 1) / 2) % 40) / 40 + 0.5 / 40,
    );
    const density = await flow.logPdf({ data: grid, rows: 1600, columns: 2 });
    expect(Math.abs(mean(density.map(Math.exp)) - 1)).toBeLessThan(2e-3);
    const bound = await flow.logPdf(fresh, { method: 'bound' });
    expect(Math.abs(mean(bound) - mean(learned))).toBeLessThan(0.03);
  });

  test('draws rows of the copula, and is the same from a file', async () => {
    const sample = await flow.sample(20_000, { seed: 8, dtype: 'float64' });
    let product = 0;
    for (let i = 0; i < 20_000; i++)
      product += ((1 - 2 * sample.data[2 * i]!) * (1 - 2 * sample.data[2 * i + 1]!)) / 20_000;
    expect(Math.abs(product - 1 / 9)).toBeLessThan(0.015);
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'sklar-')), 'jacobi.safetensors');
    await flow.save(file);
    const again = await loadModel(file);
    expect(again.kind).toBe('flow');
    expect((await again.sample(50, { seed: 8, dtype: 'float64' })).data).toEqual(sample.data.slice(0, 100));
  });

  test('has no guide, and others no cosines', async () => {
    const u = await fgm.sample(100, { seed: 1, dtype: 'float64' });
    await expect(fitCopula(u, { kind: 'flow', process: 'jacobi', guided: true })).rejects.toThrow(
      "guided does not fit process 'jacobi'",
    );
    await expect(fitCopula(u, { kind: 'flow', cosines: 3 })).rejects.toThrow(
      "cosines belong to processes on the cube, not to 'ou'",
    );
  });
});
