// The device through the public API: against the truth files, against the same models in float64 on the CPU, and against
// samples of the CPU with the same seed (closeness) or another one (law).
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../tools.mjs';
import { bars, ksBar } from './bars.mjs';
import {
  gaussianRows,
  largestKs,
  published,
  publishedTensors,
  quantile,
  randomModel,
  relativeError,
  rms,
  rowErrors,
  sameBits,
} from './context.mjs';

const CPU = { device: 'cpu' };
const DIM = 5;

const truth = (name) =>
  JSON.parse(readFileSync(path.join(root, 'test', 'fixtures', 'reference', `${name}.json`), 'utf8'));

export const checks = {
  truth: truthFiles,
  shape: shapes,
  rows: rowCounts,
  solver: solvers,
  likelihood: likelihoods,
};

export default async function correctness(context) {
  for (const name of context.options.checks) await checks[name](context);
}

/** One line of the table: an error beside its bar. */
const line = (check, what, model, precision, error, bar) => ({
  ...{ check, what, model, precision },
  ...{ error, bar, passed: error <= bar },
});

export async function truthFiles(context) {
  const { sklar, row } = context;
  const flat = (values) => Float64Array.from(values.flat());
  for (const [i, c] of truth('cdc').entries()) {
    const name = `cdc ${i}`;
    const model = published.cdc(publishedTensors(c.parameters, Float32Array), {
      times: c.timeSteps,
      ...(c.correlation ? { correlation: c.correlation.flat() } : {}),
    });
    await context.eachPrecision({ check: 'truth', model: name }, async (precision, device) => {
      const values = await model.logPdf(c.logDensity.z, { ...device, scale: 'gaussian' });
      const valueError = relativeError(values, c.logDensity.value);
      await row(line('truth', 'logPdf', name, precision, valueError, bars[precision].value));
      const { start, trajectory } = c.deterministicSampler;
      const end = await model.transport(start, { ...device, solver: 'published' });
      const endError = relativeError(end.data, flat(trajectory.at(-1)));
      await row(line('truth', 'published sampler', name, precision, endError, bars[precision].field));
    });
  }
  for (const [i, c] of truth('reflection').entries()) {
    const name = `reflection ${i}`;
    const model = published.reflection(publishedTensors(c.parameters, Float32Array), { tMax: c.tMax });
    const { times, trajectory } = c.eulerSampler;
    await context.eachPrecision({ check: 'truth', model: name }, async (precision, device) => {
      const path = { solver: 'euler', grid: 'time', steps: times.length - 1, start: trajectory[0] };
      const { values } = await sklar.integrate(model, { ...device, ...path });
      const error = relativeError(values.data, flat(trajectory.at(-1)));
      await row(line('truth', 'Euler sampler', name, precision, error, bars[precision].field));
    });
  }
}

/** Log density, field and velocity for all widths and depths. */
async function shapes(context) {
  for (const hidden of context.size([64, 128, 256, 512], [16, 24])) {
    for (const depth of context.size([2, 3, 6], [2]))
      await oneShape(context, hidden, depth, context.size(1000, 100));
  }
}

/** The same for few shapes, with odd numbers of rows. */
export async function headlineShapes(context) {
  const list = [
    [64, 2],
    [128, 3],
    [512, 6],
  ];
  for (const [hidden, depth] of context.size(list, [[16, 2]])) {
    await oneShape(context, hidden, depth, context.size(1023, 63));
  }
}

async function oneShape(context, hidden, depth, rows) {
  const { sklar, row } = context;
  const u = await gaussianRows(sklar, rows, DIM, 3);
  const z = sklar.matrix(sklar.normalQuantile(u.data), rows, DIM);
  for (const activation of ['silu', 'published']) {
    const shape = { hidden, depth, dim: DIM, activation };
    const [exact, single] = both(sklar, 'cdc', shape);
    const level = 3;
    const wanted = {
      logPdf: await exact.logPdf(u, CPU),
      field: (await exact.field(z, { ...CPU, level })).data,
    };
    const name = `${hidden}x${depth} ${activation}`;
    await context.eachPrecision({ check: 'shape', model: name }, async (precision, device) => {
      const valueError = relativeError(await single.logPdf(u, device), wanted.logPdf);
      await row(line('shape', 'logPdf', name, precision, valueError, bars[precision].value));
      const field = (await single.field(z, { ...device, level })).data;
      const error =
        activation === 'silu'
          ? relativeError(field, wanted.field)
          : trimmedError(field, wanted.field, DIM, 0.01);
      await row(line('shape', 'field', name, precision, error, bars[precision].field));
    });
  }
  for (const kind of ['flow', 'reflection', 'reflection-published']) {
    const [exact, single] = both(sklar, kind, { hidden, depth, dim: DIM });
    const name = `${kind} ${hidden}x${depth}`;
    const draw = (model, device) =>
      model.sample(rows, { ...device, solver: 'euler', steps: 5, margins: 'raw', dtype: 'float64' });
    const wanted = await draw(exact, CPU);
    await context.eachPrecision({ check: 'shape', model: name }, async (precision, device) => {
      const sample = await draw(single, device);
      const error = quantile(rowErrors(sample.data, wanted.data, DIM), 0.999);
      await row(line('shape', 'path', name, precision, error, bars[precision].path));
    });
  }
}

/** A model in float64, and the same in float32. */
const both = (sklar, kind, shape) =>
  [Float64Array, Float32Array].map((Real) => randomModel(sklar, kind, shape, Real));

/** Relative error without the share of rows with the largest ones: ReLU masks may flip there. */
function trimmedError(actual, expected, columns, share) {
  const errors = rowErrors(actual, expected, columns).sort();
  const kept = errors.subarray(0, Math.ceil(errors.length * (1 - share)));
  return rms(kept) / rms(expected);
}

/** Odd numbers of rows; and a row's value may not depend on how many others there are. */
async function rowCounts(context) {
  const { sklar, row } = context;
  const counts = context.size([1, 63, 1000, 1024, 30_000], [1, 63, 257]);
  const most = Math.max(...counts);
  const shape = { ...context.size({ hidden: 128, depth: 3 }, { hidden: 16, depth: 2 }), dim: DIM };
  const u = await gaussianRows(sklar, most, DIM, 4);
  const [exact, single] = both(sklar, 'cdc', shape);
  const wanted = await exact.logPdf(u, CPU);
  const scale = rms(wanted);
  await context.eachPrecision({ check: 'rows' }, async (precision, device) => {
    const sampling = { ...device, seed: 5, margins: 'raw', dtype: 'float64' };
    const all = {
      logPdf: await single.logPdf(u, device),
      sample: (await single.sample(most, sampling)).data,
    };
    for (const count of counts) {
      const part = sklar.matrix(u.data.slice(0, count * DIM), count, DIM);
      const values = await single.logPdf(part, device);
      const sample = (await single.sample(count, sampling)).data;
      const error = relativeError(values, wanted.subarray(0, count), scale);
      const name = `${count} rows`;
      await row(line('rows', 'logPdf', name, precision, error, bars[precision].value));
      const same =
        sameBits(values, all.logPdf.subarray(0, count)) &&
        sameBits(sample, all.sample.subarray(0, count * DIM));
      await row(line('rows', 'bits of other batches', name, precision, same ? 0 : 1, 0));
    }
  });
}

/** Which solvers fit a process, and how they run on a fixed grid and with tolerances. */
const reflecting = ['ab2', 'heun', 'euler', 'rk4', 'dopri5', 'tsit5', 'euler-maruyama'];
const adaptive = ['dopri5', 'tsit5', 'sra1', 'shark'];

async function solvers(context) {
  const { sklar, row } = context;
  const shape = { ...context.size({ hidden: 64, depth: 2 }, { hidden: 16, depth: 2 }), dim: DIM };
  for (const kind of ['cdc', 'flow', 'reflection']) {
    const [exact, single] = both(sklar, kind, shape);
    const names = sklar.solverNames.filter((name) => kind !== 'reflection' || reflecting.includes(name));
    const runs = [
      ...names.map((solver) => ({ solver, steps: 9 })),
      ...names
        .filter((solver) => adaptive.includes(solver))
        .map((solver) => ({ solver, rtol: 1e-3, atol: 1e-3 })),
    ];
    for (const run of runs) {
      const fixed = run.steps !== undefined;
      // the CPU takes long where every row has steps of its own
      const rows = context.size(fixed ? 30_000 : 3000, fixed ? 300 : 100);
      const draw = (model, device, seed) =>
        model.sample(rows, { ...device, ...run, seed, margins: 'raw', dtype: 'float64' });
      const wanted = fixed ? await draw(exact, CPU, 7) : null;
      const other = await draw(single, CPU, 8);
      await context.eachPrecision(
        { check: 'solver', what: run.solver, model: kind },
        async (precision, device) => {
          const sample = await draw(single, device, 7);
          if (fixed) {
            const error = quantile(rowErrors(sample.data, wanted.data, DIM), 0.999);
            await row(
              line('solver', `${run.solver}, same seed`, kind, precision, error, bars[precision].path),
            );
          }
          if (!fixed || precision !== 'fp32') {
            const what = `${run.solver}${fixed ? '' : ', tolerances'}, law`;
            await row(line('solver', what, kind, precision, largestKs(sample, other), ksBar(rows)));
          }
        },
      );
    }
  }
}

/** Log densities along the flow: the divergence takes products with the Hessian. */
async function likelihoods(context) {
  const { sklar, row } = context;
  const shapes = context.size(
    [
      { hidden: 64, depth: 2 },
      { hidden: 256, depth: 3 },
    ],
    [{ hidden: 16, depth: 2 }],
  );
  const u = await gaussianRows(sklar, context.size(1000, 63), DIM, 6);
  for (const kind of ['flow', 'reflection']) {
    for (const { hidden, depth } of shapes) {
      const [exact, single] = both(sklar, kind, { hidden, depth, dim: DIM });
      for (const trace of ['exact', 2]) {
        const method = { method: 'ode', solver: 'rk4', steps: 10, trace };
        const wanted = await exact.logPdf(u, { ...CPU, ...method });
        const what = trace === 'exact' ? 'exact trace' : `${trace} probes`;
        const name = `${kind} ${hidden}x${depth}`;
        await context.eachPrecision({ check: 'likelihood', what, model: name }, async (precision, device) => {
          const values = await single.logPdf(u, { ...device, ...method });
          const error = relativeError(values, wanted);
          await row(line('likelihood', what, name, precision, error, bars[precision].likelihood));
        });
      }
    }
  }
}
