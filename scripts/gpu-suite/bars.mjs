/**
 * How far the device may be from float64, by precision; about three to five times what rounding the operands of every wide
 * product does to the same quantity. `value`: log density ratios and network outputs, relative root mean square. `field`:
 * gradients by the input. `likelihood`: log densities by an ODE, which take products with the Hessian. `path`: rows after an integration, absolute on the copula scale,
 * for 99.9 % of the rows. `loss`: mean relative difference of the first losses of a fit.
 */
export const bars = {
  fp32: { value: 2e-6, field: 5e-6, likelihood: 2e-5, path: 1e-5, loss: 1e-4 },
  mixed: { value: 5e-6, field: 1e-3, likelihood: 1e-3, path: 1e-3, loss: 1e-3 },
  fp16: { value: 1e-3, field: 3e-2, likelihood: 3e-2, path: 5e-3, loss: 1e-2 },
  bf16: { value: 5e-3, field: 6e-2, likelihood: 6e-2, path: 3e-2, loss: 3e-2 },
};

/** Of a fit's last losses and held-out score: chaos has taken over by then, so one bar for all precisions. */
export const LATE_LOSS = 0.02;
export const SCORE = 0.05;

/**
 * Two-sample Kolmogorov-Smirnov: 2.2 sqrt(2 / rows) is passed by chance once in some ten thousand tests, and the suite makes
 * several hundred.
 */
export const ksBar = (rows) => 2.2 * Math.sqrt(2 / rows);
