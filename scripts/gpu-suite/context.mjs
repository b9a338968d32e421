// What the stages share: the library, the options of a run, data, models with given weights, error measures.
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../tools.mjs';

const dist = path.join(root, 'dist');
const require = createRequire(path.join(dist, 'index.js'));

export const loadSklar = () => import(pathToFileURL(path.join(dist, 'index.mjs')).href);

export class Context {
  #send;

  static async create(options, send) {
    return new Context(await loadSklar(), options, send);
  }

  constructor(sklar, options, send) {
    this.sklar = sklar;
    this.options = options;
    this.#send = send;
    this.scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-gpu-suite-'));
    this.row = (row) => this.#send({ row });
    this.fact = (facts) => this.#send({ facts });
  }

  close() {
    rmSync(this.scratch, { recursive: true, force: true });
  }

  /** `full`, or `small` where the run is a trial. */
  size(full, small) {
    return this.options.small ? small : full;
  }

  /** The same of lists of cases, of which a run within a given time takes some. */
  cases(full, small, headline) {
    return this.options.small ? small : this.options.headline ? headline : full;
  }

  /** Does `work` for every precision; what it throws becomes a failed row, and the next one is tried. */
  async eachPrecision(about, work) {
    for (const precision of this.options.precisions) {
      try {
        await work(precision, this.on(precision));
      } catch (error) {
        await this.row({
          ...about,
          precision,
          passed: false,
          problem: `${error.code ?? error.name}: ${error.message}`,
        });
      }
    }
  }

  /** Options of a call on the device. */
  on(precision) {
    const { device } = this.options;
    return device === 'cpu' ? { device } : { device, precision };
  }
}

// ---- numbers

/** mulberry32: uniform in (0, 1). */
export function uniforms(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
}

export const quantile = (values, share) =>
  Float64Array.from(values).sort()[Math.min(values.length - 1, Math.floor(share * values.length))];

export const rms = (values) => {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum / values.length);
};

/** Root mean square difference, in units of `scale`; infinite where a value is not finite. */
export function relativeError(actual, expected, scale = rms(expected)) {
  if (actual.length !== expected.length) return Infinity;
  const difference = Float64Array.from(expected, (value, i) => actual[i] - value);
  return difference.every(Number.isFinite) ? rms(difference) / scale : Infinity;
}

/** For each row the largest |difference| of its columns; NaN counts as infinite. */
export function rowErrors(actual, expected, columns) {
  return Float64Array.from({ length: expected.length / columns }, (_, i) => {
    let worst = 0;
    for (let k = i * columns; k < (i + 1) * columns; k++) {
      const error = Math.abs(actual[k] - expected[k]);
      worst = error <= worst ? worst : Number.isNaN(error) ? Infinity : error;
    }
    return worst;
  });
}

/** The largest Kolmogorov-Smirnov distance between equal columns of two samples of the same size. */
export function largestKs(a, b) {
  let worst = 0;
  for (let j = 0; j < a.columns; j++) {
    const [x, y] = [a, b].map(({ data, rows, columns }) =>
      Float64Array.from({ length: rows }, (_, i) => data[i * columns + j]).sort(),
    );
    for (let i = 0, k = 0; i < x.length && k < y.length;) {
      const at = Math.min(x[i], y[k]);
      while (i < x.length && x[i] <= at) i++;
      while (k < y.length && y[k] <= at) k++;
      worst = Math.max(worst, Math.abs(i / x.length - k / y.length));
    }
  }
  return worst;
}

export const sameBits = (a, b) =>
  a.byteLength === b.byteLength &&
  Buffer.compare(
    Buffer.from(a.buffer, a.byteOffset, a.byteLength),
    Buffer.from(b.buffer, b.byteOffset, b.byteLength),
  ) === 0;

// ---- rows and models

const RHO = 0.5;

/** A sample of an equicorrelated Gaussian copula, on the copula scale. */
export async function gaussianRows(sklar, rows, dim, seed) {
  const copula = new sklar.GaussianCopula(equicorrelation(dim), dim);
  return copula.sample(rows, { seed, dtype: 'float64' });
}

const equicorrelation = (dim) =>
  Float64Array.from({ length: dim * dim }, (_, k) => (k % (dim + 1) === 0 ? 1 : RHO));

/** Weights as a fresh linear layer has them, somewhat larger; values that float32 can hold. */
function weights(slices, Real, seed) {
  const next = uniforms(seed);
  const last = slices.at(-1);
  const values = new Real(last.offset + last.rows * Math.max(1, last.columns));
  let inputs = 1;
  for (const { offset, rows, columns } of slices) {
    inputs = columns || inputs;
    const bound = (columns ? 1.5 : 0.5) / Math.sqrt(inputs);
    for (let k = 0; k < rows * Math.max(1, columns); k++) {
      values[offset + k] = Math.fround(bound * (2 * next() - 1));
    }
  }
  return values;
}

/**
 * A model with random weights. The same arguments give the same weights in float32 and float64.
 *
 * @param kind `cdc`, `flow`, `reflection` or `reflection-published`
 */
export function randomModel(sklar, kind, { hidden, depth, dim, activation = 'silu', seed = 1 }, Real) {
  const { callNative } = require('./native.js');
  const { factor } = callNative((addon) => addon.cholesky(equicorrelation(dim), dim));
  if (kind === 'cdc') {
    const { noiseTimes } = require('./copulas/kinds/cdc.js');
    const network = { inputDim: dim, hiddenDim: hidden, depth, outputDim: 10, activation };
    return sklar.CdcCopula.fromParts({
      network,
      times: noiseTimes(network.outputDim, Infinity),
      cholesky: factor,
      correlation: equicorrelation(dim),
      parameters: weights(
        callNative((addon) => addon.cdcSlices(network)),
        Real,
        seed,
      ),
      options: null,
      training: null,
    });
  }
  const flow = kind === 'flow';
  const definition = {
    process: flow ? 'ou' : 'reflection',
    published: kind === 'reflection-published',
    potential: false,
    dim,
    frequencies: kind === 'reflection' ? 8 : 0,
    hiddenDim: hidden,
    depth,
    activation,
    members: 1,
    cholesky: flow ? factor : null,
  };
  const parameters = weights(
    callNative((addon) => addon.velocitySlices(definition)),
    Real,
    seed,
  );
  const reference = flow ? Math.PI / 2 : kind === 'reflection' ? 0.9 : 1.5;
  const Model = flow ? sklar.FlowCopula : sklar.ReflectionCopula;
  return new Model({ definition, reference, parameters, options: null, training: null });
}

/** Tensors of a truth file (test/fixtures/reference) as published weights have them. */
export function publishedTensors(parameters, Real) {
  const tensors = new Map();
  for (const [name, value] of Object.entries(parameters)) {
    const shape = Array.isArray(value[0]) ? [value.length, value[0].length] : [value.length];
    tensors.set(name, { shape, data: Real.from(value.flat()) });
  }
  return tensors;
}

/** Copulas of published weights, as loadModel makes them of a file. */
export const published = {
  cdc: (...args) => require('./copulas/kinds/cdc.js').cdcFromPublishedWeights(...args),
  reflection: (...args) => require('./copulas/kinds/reflection.js').reflectionFromPublishedWeights(...args),
};

/** The tensors of a model file. */
export const readTensors = (file) => require('./model/safetensors.js').readSafetensors(file);
