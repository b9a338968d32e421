// Parameters of one draw of every family, found again from 500 and 20,000 rows.
import { FamilyCopula, fitCopula, kendall, toRows } from '../../lib';
import { examples } from '../helpers/families';

const double = { dtype: 'float64' } as const;

describe.each(examples)('%s %j rotated by %d', (kind, parameters, rotation) => {
  const copula = new FamilyCopula(kind, parameters, { rotation });

  test.each([500, 20_000])('parameters are recovered from %d rows', async (rows) => {
    const u = await copula.sample(rows, { seed: 11, ...double });
    const fitted = await fitCopula(u, { kind, rotation });
    for (const [name, truth] of Object.entries(parameters)) {
      const error = fitted.standardErrors![name]!;
      expect(error).toBeGreaterThan(0);
      expect(Math.abs(fitted.parameters[name]! - truth)).toBeLessThan(4 * error);
    }
    const truth = (await copula.logPdf(u)).reduce((sum, value) => sum + value, 0);
    expect(fitted.logLikelihood).toBeGreaterThanOrEqual(truth - 1e-4);
    expect(fitted.aic).toBeCloseTo(2 * Object.keys(parameters).length - 2 * fitted.logLikelihood!, 9);
    if (Object.keys(parameters).length > 1) return;
    const byTau = await fitCopula(u, { kind, rotation, method: 'tau' });
    const [[, tau]] = toRows(await kendall(u)) as [[number, number]];
    expect(byTau.tau()).toBeCloseTo(tau, 10);
    // sd of Kendall's tau is at most sqrt(2 (1 - tau^2) / n)
    expect(Math.abs(tau - copula.tau())).toBeLessThan(4 * Math.sqrt((2 * (1 - tau * tau)) / rows));
  });
});
