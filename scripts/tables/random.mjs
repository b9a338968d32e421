// Numbers, choices and dates from a seed, for made-up tables.
import { uniforms } from '../gpu-suite/context.mjs';

const DAY = 86_400_000;

export class Random {
  constructor(seed) {
    this.uniform = uniforms(seed);
  }

  normal(mean = 0, deviation = 1) {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.uniform());
  }

  exponential(mean = 1) {
    return -mean * Math.log(1 - this.uniform());
  }

  logNormal(median, sigma) {
    return median * Math.exp(this.normal(0, sigma));
  }

  chance(p) {
    return this.uniform() < p;
  }

  /** A whole number from `least` to `most`. */
  integer(least, most) {
    return least + Math.floor((most - least + 1) * this.uniform());
  }

  poisson(mean) {
    const end = Math.exp(-mean);
    let k = 0;
    for (let product = this.uniform(); product > end; product *= this.uniform()) k++;
    return k;
  }

  /** One of the keys of an object, by the weights that are its values. */
  choose(weights) {
    const entries = Object.entries(weights);
    let at = this.uniform() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    return (entries.find(([, weight]) => (at -= weight) < 0) ?? entries.at(-1))[0];
  }

  /** A positive stable variable of this index (Kanter 1975): what makes a Gumbel copula of theta = 1 / index. */
  stable(index) {
    const angle = Math.PI * this.uniform();
    const a =
      (Math.sin(index * angle) ** (index / (1 - index)) * Math.sin((1 - index) * angle)) /
      Math.sin(angle) ** (1 / (1 - index));
    return (a / this.exponential()) ** ((1 - index) / index);
  }
}

export const clamp = (x, least, most) => Math.min(most, Math.max(least, x));
/** A cell with so many decimals. */
export const fixed = (x, decimals) => {
  const text = x.toFixed(decimals);
  return Number(text) === 0 ? text.replace('-', '') : text;
};
export const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** Days since the first of January of a year, as YYYY-MM-DD. */
export const dateOf = (year, day) => new Date(Date.UTC(year, 0, 1) + DAY * day).toISOString().slice(0, 10);
/** Seconds since then, as YYYY-MM-DD HH:MM:SS. */
export const timestampOf = (year, seconds) =>
  new Date(Date.UTC(year, 0, 1) + 1000 * seconds).toISOString().slice(0, 19).replace('T', ' ');
/** 0: Sunday. */
export const weekdayOf = (year, day) => new Date(Date.UTC(year, 0, 1) + DAY * day).getUTCDay();
