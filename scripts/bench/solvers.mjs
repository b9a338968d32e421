// Error of every solver against the number of field evaluations, on copulas whose fields are known exactly:
//   npm run bench -- solvers [--rows 4000] [--draws 200000] [--gaussian-draws 50000] [--cores 2]
// node scripts/solvers-page.mjs makes docs/solvers.md and its figures of the record.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { writeRecord } from '../record.mjs';
import { klOf, linearMap, noiseVariances, published } from '../solver-study/gaussian.mjs';
import { budgets } from '../solver-study/look-up.mjs';
import { cosine, fgm, gaussian, mixture, tolerances, variants } from '../solver-study/problems.mjs';
import { ScriptError, root, runMain } from '../tools.mjs';

const { integrate, GaussianCopula, devices } = await import(path.join(root, 'dist', 'index.mjs'));

const round = (x) => (Number.isFinite(x) ? Number(x.toPrecision(4)) : null);

/** Mean and its standard error. */
function meanOf(values) {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  return { mean, standardError: Math.sqrt(squares / (values.length - 1) / values.length) };
}

const rootMeanSquare = (a, b) => Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0) / a.length);

/** A test function at every row. */
const valuesOf = ({ of }, rows, dim) =>
  Float64Array.from({ length: rows.length / dim }, (_, i) => of(rows.subarray(i * dim, (i + 1) * dim)));

/** Independent rows of the scale of the process: what every deterministic solver starts from. */
async function startsOf({ dim, scale }, rows) {
  const identity = Float64Array.from({ length: dim * dim }, (_, i) => (i % (dim + 1) === 0 ? 1 : 0));
  return new GaussianCopula(identity, dim).sample(rows, { seed: 11, scale, dtype: 'float64' });
}

/** Runs tasks, some of them at the same time, and gives their results in order. */
async function inParallel(tasks, atOnce) {
  const results = new Array(tasks.length);
  let next = 0;
  const worker = async () => {
    while (next < tasks.length) {
      const own = next++;
      results[own] = await tasks[own]();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

/** The most steps whose evaluations are within each budget, read off the solver, which counts its own stages. */
async function stepsWithin(count) {
  const [two, three] = [await count(2), await count(3)];
  return budgets
    .map((budget) => 2 + Math.floor((budget - two) / (three - two)))
    .filter((steps) => steps >= 1)
    .map((steps) => ({ steps }));
}

/** [{ a, b: [{ c }] }, ...] to { a: [...], b: [{ c: [...] }] }: a record of arrays is short and still readable. */
function byColumn(points) {
  return Object.fromEntries(
    Object.entries(points[0]).map(([key, first]) => {
      const all = points.map((point) => point[key]);
      return [key, Array.isArray(first) ? first.map((_, k) => byColumn(all.map((list) => list[k]))) : all];
    }),
  );
}

async function study(problem, { rows, draws, gaussianDraws, cores }) {
  const { name, copula, dim, scale, rho, functions } = problem;
  const [process] = copula.processes;
  const run = (options) => integrate(copula, { scale, threads: 1, seed: 7, ...options });
  const starts = await startsOf(problem, rows);
  const [truth, other] = await Promise.all(
    ['tsit5', 'dopri5'].map((solver) => run({ start: starts, solver, rtol: 1e-10, atol: 1e-10 })),
  );
  const referenceError = rootMeanSquare(truth.values.data, other.values.data);
  if (!(referenceError < 1e-7))
    throw new ScriptError(`the references differ by ${referenceError} on ${name}`);
  const exact = functions.map((f) => valuesOf(f, truth.values.data, dim));

  // Deterministic: rows that started alike are compared with the reference one by one.
  async function deterministic(options) {
    const { values, evaluations, mostEvaluations } = await run({ start: starts, ...options });
    const moments = functions.map((f, k) => {
      const { mean, standardError } = meanOf(valuesOf(f, values.data, dim).map((x, i) => x - exact[k][i]));
      return { error: round(mean), standardError: round(standardError) };
    });
    return {
      evaluations: round(evaluations),
      ...(options.rtol && { mostEvaluations }),
      rmse: round(rootMeanSquare(values.data, truth.values.data)),
      ...(rho && !options.rtol && { kl: round(klOf(rho, dim, await linearMap(run, dim, options)).kl) }),
      ...(moments.length > 0 && { moments }),
    };
  }

  // Stochastic: means of test functions against their exact values; of Gaussian copulas the law itself.
  async function stochastic(options) {
    if (rho) {
      const map = await linearMap(run, dim, options);
      const start = { rows: gaussianDraws, columns: dim, data: new Float64Array(gaussianDraws * dim) };
      const { values, evaluations } = await run({ start, ...options });
      const { kl, standardError } = klOf(rho, dim, map, noiseVariances(values.data, dim));
      return { evaluations, kl: round(kl), standardError: round(standardError) };
    }
    const { values, evaluations } = await run({ rows: draws, ...options });
    const moments = functions.map((f) => {
      const { mean, standardError } = meanOf(valuesOf(f, values.data, dim));
      return { error: round(mean - f.exact), standardError: round(standardError) };
    });
    return { evaluations, moments };
  }

  const solvers = await inParallel(
    variants(process).map(({ label, noisy, adaptive, options }) => async () => {
      const count = async (steps) => (await run({ rows: 1, steps, ...options })).evaluations;
      const settings = adaptive ? tolerances.map((rtol) => ({ rtol })) : await stepsWithin(count);
      const points = [];
      for (const setting of settings) {
        const measure = noisy ? stochastic : deterministic;
        points.push({ ...setting, ...(await measure({ ...options, ...setting })) });
      }
      const shown = points.map(({ evaluations, kl, rmse, moments }) =>
        [evaluations, kl ?? rmse ?? moments[0].error].join(': '),
      );
      console.log(`${name}, ${label}: ${shown.join(', ')}`);
      return { label, options, noisy, adaptive, ...byColumn(points) };
    }),
    cores,
  );
  return {
    name,
    title: problem.title,
    dim,
    process,
    ...(rho && { rho, published: byColumn([9, ...budgets].map((steps) => published(rho, dim, steps))) }),
    functions: functions.map(({ formula, exact: value }) => ({ formula, exact: value })),
    referenceError,
    solvers,
  };
}

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '4000' },
      draws: { type: 'string', default: '200000' },
      'gaussian-draws': { type: 'string', default: '50000' },
      cores: { type: 'string', default: '2' },
    },
  });
  const [rows, draws, gaussianDraws, cores] = ['rows', 'draws', 'gaussian-draws', 'cores'].map((key) =>
    Number(values[key]),
  );
  const results = [];
  for (const make of [gaussian(2, 0.9), gaussian(10, 0.7), mixture, fgm, cosine]) {
    results.push(await study(make(), { rows, draws, gaussianDraws, cores }));
  }
  for (const { name, process, solvers } of results) {
    if (process !== 'ou') continue;
    const at = (label, evaluations) => {
      const solver = solvers.find((one) => one.label === label);
      return solver.rmse[solver.evaluations.indexOf(evaluations)];
    };
    console.log(
      `${name}: ab2 with 16 evaluations ${at('ab2, w', 16)}, ddim with 128 ${at('ddim', 128)} ` +
        '(root mean square error of the map from noise to sample)',
    );
  }
  const record = { devices: devices(), rows, draws, gaussianDraws, results };
  console.log(`written: ${writeRecord('solvers', record)}`);
});
