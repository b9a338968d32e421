// The figures of docs/solvers.md.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { linePlots } from '../line-plot.mjs';
import { budgets, lookUp } from './look-up.mjs';

/** The points of a solver for a figure. */
const points = ({ evaluations }, values) =>
  evaluations.map((x, k) => ({ x, y: Math.abs(values[k]) })).filter(({ y }) => y > 0);

/** KL where it is known to be above 0. */
const surely = ({ kl, standardError }) =>
  kl.map((x, k) => (standardError && x < 2 * standardError[k] ? 0 : x));

/** Writes solvers-*.svg to the folder. */
export async function figures(record, folder) {
  const { target, solver } = lookUp(record);
  const common = { ticks: budgets, xTitle: 'evaluations of the field' };
  const save = async (name, options) =>
    writeFileSync(path.join(folder, `solvers-${name}.svg`), await linePlots({ ...common, ...options }));

  const map = (name, labels, adaptive) => [
    ...labels.map((label) => ({
      name: label,
      points: points(solver(name, label), solver(name, label).rmse),
    })),
    ...adaptive.map((label) => {
      const own = solver(name, label, true);
      return { name: `${label.split(',')[0]}, tolerances`, points: points(own, own.rmse) };
    }),
  ];
  const ode = ['ab2, w', 'ab2, theta', 'heun, w', 'euler, w', 'rk4, theta', 'ddim', 'dpmpp-2m'];
  await save('map', {
    title: 'Root mean square error of the map from noise to sample against evaluations of the field',
    panels: ['mixture', 'fgm'].map((name) => ({
      title: target(name).title,
      yTitle: 'root mean square error of the map',
      range: [1e-6, 1],
      series: map(name, ode, ['tsit5, theta']),
    })),
    dashed: ['tsit5, tolerances'],
  });

  const noisy = ['exponential-em', 'euler-maruyama', 'shark', 'dpmpp-2m-sde'];
  await save('gaussian', {
    title: 'KL divergence of the sampled from the true Gaussian copula against evaluations of the field',
    panels: ['gaussian-2', 'gaussian-10'].map((name) => ({
      title: target(name).title,
      yTitle: 'KL(true || sampled), nats',
      range: [1e-8, 10],
      series: [
        ...['ab2, w', 'rk4, theta', 'ddim', 'dpmpp-2m', ...noisy].map((label) => ({
          name: label,
          points: points(solver(name, label), surely(solver(name, label))),
        })),
        {
          name: 'published, noisy',
          points: points(target(name).published, target(name).published.noisy).sort((a, b) => a.x - b.x),
        },
      ],
    })),
    dashed: [...noisy, 'published, noisy'],
  });

  const sde = [
    'exponential-em',
    'exponential-em-one-step',
    'euler-maruyama',
    'sra1',
    'shark',
    'dpmpp-2m-sde',
    'ddim, eta 1',
  ];
  const means = (name, labels) =>
    labels.map((label) => ({
      name: label,
      points: points(solver(name, label), solver(name, label).moments[0].error),
    }));
  // two standard errors of the noisiest mean on the right, where the errors are small
  const floor = (name, labels) => ({
    y: 2 * Math.max(...labels.map((label) => solver(name, label).moments[0].standardError.at(-1))),
    text: 'two standard errors of a noisy mean',
  });
  await save('noise', {
    title: 'Error of the mean of a test function against evaluations of the field, stochastic solvers',
    panels: ['mixture', 'fgm'].map((name) => ({
      title: target(name).title,
      yTitle: 'absolute error of the mean',
      range: [1e-4, 2],
      floor: floor(name, sde),
      series: means(name, [...sde, 'ab2, w']),
    })),
    dashed: sde,
  });

  const cube = ['heun, quadratic', 'ab2, quadratic', 'euler, quadratic', 'rk4, quadratic', 'heun, uniform'];
  const walk = ['euler-maruyama, quadratic', 'euler-maruyama, uniform'];
  await save('reflection', {
    title: 'Errors on the reflection process against evaluations of the field',
    panels: [
      {
        title: target('cosine').title,
        yTitle: 'root mean square error of the map',
        range: [1e-6, 0.1],
        series: map('cosine', cube, ['tsit5']),
      },
      {
        title: 'the same copula, mean of a test function',
        yTitle: 'absolute error of the mean',
        range: [1e-6, 0.2],
        floor: floor('cosine', walk),
        series: means('cosine', [...cube, ...walk]),
      },
    ],
    dashed: ['tsit5, tolerances', ...walk],
  });
}
