import { GaussianCopula, Table } from '../../lib';

/** Orders: scores of a Gaussian copula with a correlation of 0.6, as cells of many types. @param uniform draws between 0 and 1 */
export async function ordersTable(rows: number, uniform: () => number): Promise<Table> {
  const copula = new GaussianCopula(Float64Array.of(1, 0.6, 0.3, 0.6, 1, 0.4, 0.3, 0.4, 1), 3);
  const z = await copula.sample(rows, { scale: 'gaussian', dtype: 'float64', seed: 5 });
  const score = (i: number, j: number) => z.data[3 * i + j]!;
  const each = <T>(make: (i: number) => T) => Array.from({ length: rows }, (_, i) => make(i));
  const count = each((i) => Math.max(0, Math.round(1.5 * score(i, 0))));
  const amount = each((i) => (count[i] === 0 ? 0 : Math.round(100 * Math.exp(2 + score(i, 1))) / 100));
  return Table.fromColumns({
    id: each((i) => `R${i}`),
    size: each((i) => ['small', 'medium', 'large'][score(i, 2) < -0.5 ? 0 : score(i, 2) < 0.7 ? 1 : 2]!),
    when: each(
      (i) => new Date(Date.UTC(2020, 0, 1 + Math.floor(300 * uniform()) + 30 * (score(i, 0) > 0 ? 1 : 0))),
    ),
    count,
    amount,
    gross: amount.map((value) => Math.round(119 * value) / 100),
    rating: each((i) => (uniform() < 0.2 ? null : Math.round(10 * score(i, 1)) / 10)),
    open: each((i) => score(i, 0) + uniform() > 0.5),
    unit: each(() => 'EUR'),
  });
}
