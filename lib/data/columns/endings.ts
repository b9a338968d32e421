/** The last digits that the numbers of a column have: salaries in hundreds, prices that end in .99, days that are no Sundays. */
import { z } from 'zod';

import { toDigits } from '../../notes';
import { hashWords } from '../random';
import { type ColumnType, decimalsOf } from './column-type';
import { greatestDivisor } from './plain-number';

/** Remainders that stand out among those of the numbers of a column, which are whole multiples of `unit`. */
export interface Endings {
  /** 10^-decimals. */
  readonly decimals: number;
  /** Of the remainders, in units. */
  readonly modulus: number;
  readonly remainders: readonly number[];
  /** How often numbers have each for its own sake; others, and these by chance, the rest. */
  readonly shares: readonly number[];
}

export const endingsSchema: z.ZodType<Endings> = z
  .strictObject({
    decimals: z.int().min(0).max(20),
    modulus: z.int().min(2),
    remainders: z.array(z.int().min(0)).min(1),
    shares: z.array(z.number().min(0).max(1)),
  })
  .refine(
    ({ modulus, remainders, shares }) =>
      remainders.length === shares.length && remainders.every((remainder) => remainder < modulus),
    'a share for each remainder, which are below the modulus',
  );

/** Different values that are looked at. */
const MOST_VALUES = 20_000;
/** Remainders that can stand out. */
const MOST_REMAINDERS = 100;
/** Moduli are at most this share of the distance of the quartiles, so that values are moved by little. */
const FINE = 0.1;
/** The nats that a description by remainders saves, at least. */
const EVIDENCE = 10;
const SECONDS = [60, 300, 900, 3600, 86_400];
const WEEK = 7;

/** The moduli at which numbers of a type are looked at, in units. */
function moduliOf(type: ColumnType, decimals: number, most: number): number[] {
  const own =
    type.type === 'date'
      ? [WEEK]
      : type.type === 'time' || type.type === 'timestamp' || ('style' in type && type.style?.duration)
        ? SECONDS.map((seconds) => seconds * 10 ** decimals)
        : Array.from({ length: 15 }, (_, k) => 10 ** (k + 1));
  return own.filter((modulus) => modulus <= most);
}

/**
 * The remainders that stand out, at the modulus at which telling them says most: of k remainders out of M that n numbers have, the
 * log likelihood beside that of equal shares, less (log n) / 2 nats for each share and log (M choose k) for which ones they are. Null: none do.
 *
 * @param values in ascending order, all different, without those that have a probability of their own
 * @param rows how many rows have each
 */
export function findEndings(type: ColumnType, values: Float64Array, rows: Float64Array): Endings | null {
  if (type.type === 'boolean' || type.type === 'category' || type.type === 'id') return null;
  const decimals = 'decimals' in type && type.decimals !== undefined ? type.decimals : decimalsOf(values);
  if (decimals === undefined) return null;
  const every = Math.ceil(values.length / MOST_VALUES);
  const unit = 10 ** decimals;
  const chosen = Array.from({ length: Math.floor(values.length / every) }, (_, k) => k * every);
  const units = chosen.map((k) => Math.round(values[k]! * unit));
  if (units.length < 2 || units.some((k) => Math.abs(k) > 2 ** 52)) return null;
  const weights = chosen.map((k) => rows[k]!);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const quartile = (share: number) => {
    let below = 0;
    return units[
      Math.max(
        0,
        weights.findIndex((weight) => (below += weight) >= share * total),
      )
    ]!;
  };
  const most = FINE * (quartile(0.75) - quartile(0.25));
  const step = units.reduce((divisor, k) => greatestDivisor(divisor, Math.abs(k - units[0]!)), 0);
  const moduli = new Set([...moduliOf(type, decimals, most), ...(step > 1 && step <= most ? [step] : [])]);
  let best: { saved: number; endings: Endings } | null = null;
  for (const modulus of [...moduli].sort((a, b) => a - b)) {
    const found = endingsAt(units, weights, total, modulus);
    if (found && found.saved > (best?.saved ?? EVIDENCE))
      best = { saved: found.saved, endings: { decimals, modulus, ...found.endings } };
  }
  return best?.endings ?? null;
}

function endingsAt(units: readonly number[], weights: readonly number[], total: number, modulus: number) {
  const counts = new Map<number, number>();
  for (const [i, k] of units.entries()) {
    const remainder = remainderOf(k, modulus);
    counts.set(remainder, (counts.get(remainder) ?? 0) + weights[i]!);
  }
  const frequent = [...counts].sort(([a, rows], [b, others]) => others - rows || a - b);
  let best = { saved: 0, count: 0, rest: 0 };
  let [told, rest, choices] = [0, total, 0];
  for (const [k, [, count]] of frequent.slice(0, MOST_REMAINDERS).entries()) {
    told += count * Math.log((count * modulus) / total);
    rest = Math.max(0, rest - count);
    choices += Math.log((modulus - k) / (k + 1));
    const others = modulus - k - 1;
    const ofRest =
      rest < 0.5 ? 0 : others > 0 ? rest * Math.log((rest * modulus) / (total * others)) : -Infinity;
    const saved = told + ofRest - choices - (k + 1) * Math.log(total) * 0.5;
    if (saved > best.saved) best = { saved, count: k + 1, rest: rest < 0.5 ? 0 : rest / others };
  }
  if (best.count === 0) return null;
  const chosen = frequent.slice(0, best.count).sort(([a], [b]) => a - b);
  return {
    saved: best.saved,
    endings: {
      remainders: chosen.map(([remainder]) => remainder),
      shares: chosen.map(([, count]) => Math.max(0, count - best.rest) / total),
    },
  };
}

const remainderOf = (k: number, modulus: number) => ((k % modulus) + modulus) % modulus;

const bits = new Float64Array(1);
const halves = new Uint32Array(bits.buffer);

/**
 * The next number with a remainder that is drawn in the shares, or the number itself.
 *
 * @param draw what decides, such as the score that the number is of
 * @param support between which numbers stay
 */
export function withEnding(
  { decimals, modulus, remainders, shares }: Endings,
  value: number,
  draw: number,
  [least, most]: readonly [number, number],
): number {
  const unit = 10 ** decimals;
  const k = Math.round(value * unit);
  if (!(Math.abs(k) < 2 ** 52)) return value;
  bits[0] = draw;
  let left = hashWords(halves[0]!, halves[1]!) / 2 ** 32;
  const chosen = shares.findIndex((share) => (left -= share) < 0);
  if (chosen < 0) return value;
  const up = remainderOf(remainders[chosen]! - k, modulus);
  const near = up <= modulus / 2 ? [up, up - modulus] : [up - modulus, up];
  for (const moved of near) {
    const next = (k + moved) / unit;
    if (next >= least && next <= most) return next;
  }
  return value;
}

/** Remainders that a sentence lists. */
const LISTED = 3;

/** What is said of the numbers of a column. */
export function endingsText(type: ColumnType, { decimals, modulus, remainders, shares }: Endings): string {
  if (type.type === 'date') return 'drawn on the days of the week that the data have';
  const step = toDigits(modulus / 10 ** decimals, 15);
  if (remainders.length === 1 && remainders[0] === 0 && shares[0]! > 0.999)
    return `drawn in multiples of ${step}`;
  const isDecimal = Number.isInteger(Math.log10(modulus)) && !('style' in type && type.style?.duration);
  if (!isDecimal || type.type === 'time' || type.type === 'timestamp')
    return `drawn with the remainders of ${step} that the data have`;
  const digits = String(modulus).length - 1;
  const byShare = Array.from(shares.keys()).sort((a, b) => shares[b]! - shares[a]!);
  const texts = byShare.slice(0, LISTED).map((k) => {
    const all = String(remainders[k]!).padStart(digits, '0');
    const text =
      decimals === 0 ? all : `${all.slice(0, -decimals)}.${all.slice(-decimals).padStart(decimals, '0')}`;
    return `${text} (${Number((100 * shares[k]!).toPrecision(2))} %)`;
  });
  const more = remainders.length - texts.length;
  return `drawn with the last digits of the data: ${texts.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
