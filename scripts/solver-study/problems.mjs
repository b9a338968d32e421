// The copulas of the study, with test functions whose means are known, and the solvers with their settings.
import path from 'node:path';
import { root } from '../tools.mjs';

const { ClosedFormCopula } = await import(path.join(root, 'dist', 'index.mjs'));

export const tolerances = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6];

const correlations = (dim, rho) =>
  Array.from({ length: dim }, (_, i) => Array.from({ length: dim }, (_, j) => (i === j ? 1 : rho)));

/** Mean of squares over the columns, whose mean is 1 wherever the margins are right. */
const variance = {
  formula: 'mean over the columns of z_i^2',
  exact: 1,
  of: (z) => z.reduce((sum, x) => sum + x * x, 0) / z.length,
};

export const gaussian = (dim, rho) => () => ({
  name: `gaussian-${dim}`,
  title: `Gaussian, d = ${dim}, rho = ${rho}`,
  copula: ClosedFormCopula.gaussianMixture({ weights: [1], correlations: [correlations(dim, rho)] }),
  dim,
  rho,
  scale: 'gaussian',
  functions: [],
});

export const mixture = () => ({
  name: 'mixture',
  title: 'mixture of Gaussians, d = 2, rho = 0.9 and -0.9',
  copula: ClosedFormCopula.gaussianMixture({
    weights: [0.5, 0.5],
    correlations: [correlations(2, 0.9), correlations(2, -0.9)],
  }),
  dim: 2,
  scale: 'gaussian',
  functions: [
    {
      formula: 'exp(-(z_1 - z_2)^2) + exp(-(z_1 + z_2)^2)',
      // z_1 - z_2 and z_1 + z_2 have variances 0.2 and 3.8 in one component, 3.8 and 0.2 in the other
      exact: 1 / Math.sqrt(1 + 2 * 0.2) + 1 / Math.sqrt(1 + 2 * 3.8),
      of: ([a, b]) => Math.exp(-((a - b) ** 2)) + Math.exp(-((a + b) ** 2)),
    },
    variance,
  ],
});

export const fgm = () => ({
  name: 'fgm',
  title: 'three-way FGM, d = 3, theta = 1',
  copula: ClosedFormCopula.fgm({ dim: 3, theta: 1 }),
  dim: 3,
  scale: 'gaussian',
  functions: [
    // E z (1 - 2 Phi(z)) = -1 / sqrt(pi)
    { formula: 'z_1 z_2 z_3', exact: -(Math.PI ** -1.5), of: ([a, b, c]) => a * b * c },
    variance,
  ],
});

export const cosine = () => ({
  name: 'cosine',
  title: 'cosine, d = 3, reflection process',
  copula: ClosedFormCopula.cosine({
    terms: [
      { amplitude: 0.5, frequencies: [1, 1, 0] },
      { amplitude: -0.3, frequencies: [1, 2, 1] },
    ],
  }),
  dim: 3,
  scale: 'copula',
  functions: [
    {
      formula: 'cos(pi u_1) cos(pi u_2)',
      exact: 0.5 / 4,
      of: ([a, b]) => Math.cos(Math.PI * a) * Math.cos(Math.PI * b),
    },
    {
      formula: 'mean over the columns of 12 (u_i - 1/2)^2',
      exact: 1,
      of: (u) => (12 * u.reduce((sum, x) => sum + (x - 0.5) ** 2, 0)) / u.length,
    },
  ],
});

const noisy = (label, options) => ({ label, noisy: true, adaptive: false, options });
const plain = (label, options) => ({ label, noisy: false, adaptive: false, options });
const adaptive = (label, options) => ({ label, noisy: false, adaptive: true, options });

/** Every solver that fits the process: as it is by default, then what a user may want to try instead. */
export function variants(process) {
  if (process === 'reflection') {
    return [
      ...['ab2', 'heun', 'euler', 'rk4', 'dopri5', 'tsit5'].flatMap((solver) => [
        plain(`${solver}, quadratic`, { solver, grid: 'quadratic' }),
        plain(`${solver}, uniform`, { solver, grid: 'time' }),
      ]),
      adaptive('dopri5', { solver: 'dopri5' }),
      adaptive('tsit5', { solver: 'tsit5' }),
      noisy('euler-maruyama, quadratic', { solver: 'euler-maruyama' }),
      noisy('euler-maruyama, uniform', { solver: 'euler-maruyama', grid: 'time' }),
    ];
  }
  const clocks = (solver, ...list) =>
    list.map((clock) => plain(`${solver}, ${clock}`, { solver, clock, grid: clock }));
  return [
    ...clocks('ab2', 'w', 'theta', 'alpha'),
    ...clocks('heun', 'w', 'theta'),
    ...clocks('euler', 'w', 'theta'),
    ...clocks('rk4', 'theta', 'w'),
    ...clocks('dopri5', 'theta'),
    ...clocks('tsit5', 'theta'),
    plain('ddim', { solver: 'ddim' }),
    plain('ddim, grid w', { solver: 'ddim', grid: 'w' }),
    plain('dpmpp-2m', { solver: 'dpmpp-2m' }),
    plain('dpmpp-2m, grid theta', { solver: 'dpmpp-2m', grid: 'theta' }),
    adaptive('dopri5, theta', { solver: 'dopri5' }),
    adaptive('dopri5, w', { solver: 'dopri5', clock: 'w' }),
    adaptive('tsit5, theta', { solver: 'tsit5' }),
    adaptive('tsit5, w', { solver: 'tsit5', clock: 'w' }),
    noisy('exponential-em', { solver: 'exponential-em' }),
    noisy('exponential-em-one-step', { solver: 'exponential-em-one-step' }),
    noisy('euler-maruyama', { solver: 'euler-maruyama' }),
    noisy('sra1', { solver: 'sra1' }),
    noisy('shark', { solver: 'shark' }),
    noisy('dpmpp-2m-sde', { solver: 'dpmpp-2m-sde' }),
    noisy('ddim, eta 1', { solver: 'ddim', eta: 1 }),
  ];
}
