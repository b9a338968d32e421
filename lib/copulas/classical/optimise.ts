/** Maximisation of smooth functions of few variables inside a box, and roots of functions of one. */

export type Objective = (x: readonly number[]) => Promise<number>;
export type Box = readonly (readonly [number, number])[];

const GOLDEN = (3 - Math.sqrt(5)) / 2;

/** The maximum of a function of one variable on an interval: Brent (1973), golden sections and parabolas. */
export async function maximiseBrent(
  f: (x: number) => Promise<number>,
  [low, high]: readonly [number, number],
  start: number,
  tolerance = 1e-7,
): Promise<{ x: number; value: number }> {
  let [a, b] = [low, high];
  let x = Math.min(Math.max(start, low + 1e-9 * (high - low)), high - 1e-9 * (high - low));
  let fx = -(await f(x));
  let [w, fw, v, fv] = [x, fx, x, fx];
  let [step, before] = [0, 0];
  for (let i = 0; i < 100; i++) {
    const middle = 0.5 * (a + b);
    const near = tolerance * Math.abs(x) + 1e-10;
    if (Math.abs(x - middle) <= 2 * near - 0.5 * (b - a)) break;
    let parabola = false;
    if (Math.abs(before) > near) {
      const r = (x - w) * (fx - fv);
      let q = (x - v) * (fx - fw);
      let p = (x - v) * q - (x - w) * r;
      q = 2 * (q - r);
      if (q > 0) p = -p;
      q = Math.abs(q);
      if (Math.abs(p) < Math.abs(0.5 * q * before) && p > q * (a - x) && p < q * (b - x)) {
        parabola = true;
        before = step;
        step = p / q;
        const u = x + step;
        if (u - a < 2 * near || b - u < 2 * near) step = x < middle ? near : -near;
      }
    }
    if (!parabola) {
      before = x < middle ? b - x : a - x;
      step = GOLDEN * before;
    }
    const u = x + (Math.abs(step) >= near ? step : Math.sign(step) * near);
    const fu = -(await f(u));
    if (fu <= fx) {
      if (u < x) b = x;
      else a = x;
      [v, fv, w, fw, x, fx] = [w, fw, x, fx, u, fu];
    } else {
      if (u < x) a = u;
      else b = u;
      if (fu <= fw || w === x) [v, fv, w, fw] = [w, fw, u, fu];
      else if (fu <= fv || v === x || v === w) [v, fv] = [u, fu];
    }
  }
  return { x, value: -fx };
}

/**
 * The maximum of a function of several variables in a box: Nelder and Mead (1965), started again from where it ended
 * until that no longer helps, at most `rounds` times. Points outside are moved to the box.
 */
export async function maximiseSimplex(
  f: Objective,
  box: Box,
  start: readonly number[],
  { size = 0.5, tolerance = 1e-5, rounds = 5 } = {},
): Promise<{ x: number[]; value: number }> {
  const n = start.length;
  const inside = (x: readonly number[]) =>
    x.map((value, i) => Math.min(Math.max(value, box[i]![0]), box[i]![1]));
  const evaluate = async (x: readonly number[]) => {
    const at = inside(x);
    const value = await f(at);
    return { x: at, value: Number.isFinite(value) ? value : -Infinity };
  };
  let best = await evaluate(start);
  for (let round = 0, edge = size; round < rounds; round++, edge *= 0.3) {
    const before = best.value;
    const simplex = [best];
    for (let i = 0; i < n; i++) {
      const [low, high] = box[i]!;
      const length = Math.min(edge, 0.25 * (high - low));
      simplex.push(
        await evaluate(
          best.x.map((value, j) => value + (i === j ? (value + length > high ? -length : length) : 0)),
        ),
      );
    }
    for (let i = 0; i < 400; i++) {
      simplex.sort((p, q) => q.value - p.value);
      const [top, worst] = [simplex[0]!, simplex[n]!];
      const spread = Math.max(...top.x.map((value, j) => Math.abs(value - worst.x[j]!)));
      if (spread < tolerance || (top.value - worst.value < 1e-9 * Math.abs(top.value) && spread < 1e-3))
        break;
      const centre = top.x.map((_, j) => simplex.slice(0, n).reduce((sum, p) => sum + p.x[j]!, 0) / n);
      const along = (t: number) => evaluate(centre.map((value, j) => value + t * (worst.x[j]! - value)));
      const reflected = await along(-1);
      if (reflected.value > top.value) {
        const expanded = await along(-2);
        simplex[n] = expanded.value > reflected.value ? expanded : reflected;
      } else if (reflected.value > simplex[n - 1]!.value) {
        simplex[n] = reflected;
      } else {
        const contracted = await along(reflected.value > worst.value ? -0.5 : 0.5);
        if (contracted.value > Math.max(reflected.value, worst.value)) simplex[n] = contracted;
        else {
          for (let k = 1; k <= n; k++) {
            simplex[k] = await evaluate(simplex[k]!.x.map((value, j) => 0.5 * (value + top.x[j]!)));
          }
        }
      }
    }
    simplex.sort((p, q) => q.value - p.value);
    best = simplex[0]!;
    if (best.value - before < 1e-3) break;
  }
  return best;
}

interface Derivatives {
  value: number;
  gradient: number[];
  /** Minus the matrix of second derivatives. */
  bend: number[][];
}

/** By some of the variables: central differences. */
export async function derivatives(
  f: Objective,
  x: readonly number[],
  steps: readonly number[],
  free: readonly number[],
): Promise<Derivatives> {
  const at = (moves: readonly (readonly [number, number])[]) => {
    const y = [...x];
    for (const [i, sign] of moves) y[i]! += sign * steps[i]!;
    return f(y);
  };
  const value = await f(x);
  const gradient: number[] = [];
  const bend = free.map(() => new Array<number>(free.length).fill(0));
  for (const [a, i] of free.entries()) {
    const up = await at([[i, 1]]);
    const down = await at([[i, -1]]);
    gradient.push((up - down) / (2 * steps[i]!));
    bend[a]![a] = (2 * value - up - down) / steps[i]! ** 2;
    for (const [b, j] of free.slice(0, a).entries()) {
      let mixed = 0;
      for (const [s, t] of [
        [1, 1],
        [1, -1],
        [-1, 1],
        [-1, -1],
      ] as const) {
        const moves = [[i, s] as const, [j, t] as const];
        mixed += s * t * (await at(moves));
      }
      bend[a]![b] = bend[b]![a] = -mixed / (4 * steps[i]! * steps[j]!);
    }
  }
  return { value, gradient, bend };
}

/** Far enough inside the box for differences with these steps. */
const inside = (box: Box, x: readonly number[], steps: readonly number[], i: number) =>
  x[i]! - 2 * steps[i]! > box[i]![0] && x[i]! + 2 * steps[i]! < box[i]![1];

/** Steps of differences at a maximum, and the variables that are not at their bounds. */
export function freeVariables(box: Box, x: readonly number[]): { steps: number[]; free: number[] } {
  const steps = x.map((value) => 1e-3 * Math.max(Math.abs(value), 0.1));
  return { steps, free: x.map((_, i) => i).filter((i) => inside(box, x, steps, i)) };
}

/**
 * The maximum near a point by Newton's method, steps halved until they lead upwards; to about a hundredth of a standard error
 * where f is a log-likelihood. Null where f does not bend down on the way, or a bound is near.
 */
export async function maximiseNewton(
  f: Objective,
  box: Box,
  start: readonly number[],
): Promise<number[] | null> {
  const steps = start.map(() => 1e-3);
  const free = start.map((_, i) => i);
  let x = [...start];
  for (let round = 0; round < 10; round++) {
    if (!free.every((i) => inside(box, x, steps, i))) return null;
    const { value, gradient, bend } = await derivatives(f, x, steps, free);
    const inverse = inverseOf(bend);
    const way = inverse.map((row) => row.reduce((sum, element, j) => sum + element * gradient[j]!, 0));
    const gain = 0.5 * way.reduce((sum, step, i) => sum + step * gradient[i]!, 0);
    if (!(gain >= 0) || !inverse.every((row, i) => row[i]! > 0)) return null;
    const at = (share: number) => x.map((from, i) => from + share * way[i]!);
    const last = gain < 1e-4;
    let share = 1;
    while (
      !free.every((i) => inside(box, at(share), steps, i)) ||
      (!last && !((await f(at(share))) > value))
    ) {
      share /= 2;
      if (share < 0.01) return null;
    }
    x = at(share);
    if (last) return x;
  }
  return null;
}

/**
 * Standard errors at a maximum of a log-likelihood: roots of the diagonal of the inverse of minus its Hessian, by
 * central differences. A variable that is at its bound is held there and gets null.
 */
export async function standardErrors(
  f: Objective,
  box: Box,
  x: readonly number[],
): Promise<(number | null)[]> {
  const { steps, free } = freeVariables(box, x);
  const { bend } = await derivatives(f, x, steps, free);
  const variances = inverseOf(bend).map((row, i) => row[i]!);
  return x.map((_, i) => {
    const variance = variances[free.indexOf(i)] ?? NaN;
    return variance > 0 && Number.isFinite(variance) ? Math.sqrt(variance) : null;
  });
}

/**
 * The zero of a function between a and b, where its signs differ, to rounding: Chandrupatla (1997). Where they do not differ, the
 * end that is nearer to a zero.
 */
export function findRoot(f: (x: number) => number, a: number, b: number): number {
  let [fa, fb] = [f(a), f(b)];
  let share = 0.5;
  let c: number;
  let fc: number;
  if (fa < 0 === fb < 0) return Math.abs(fa) < Math.abs(fb) ? a : b;
  for (let i = 0; i < 200 && fa !== 0 && fb !== 0; i++) {
    const x = a + share * (b - a);
    const fx = f(x);
    if (fx < 0 === fa < 0) [c, fc] = [a, fa];
    else [c, fc, b, fb] = [b, fb, a, fa];
    [a, fa] = [x, fx];
    const best = Math.abs(fa) < Math.abs(fb) ? a : b;
    const limit = (2e-16 * Math.max(1, Math.abs(best))) / Math.abs(b - a);
    if (limit > 0.5) break;
    const [xi, phi] = [(a - b) / (c - b), (fa - fb) / (fc - fb)];
    share = 0.5;
    if (phi ** 2 < xi && (1 - phi) ** 2 < 1 - xi) {
      share =
        ((fa / (fb - fa)) * fc) / (fb - fc) + ((((c - a) / (b - a)) * fa) / (fc - fa)) * (fb / (fc - fb));
    }
    share = Math.min(1 - limit, Math.max(limit, share));
  }
  return Math.abs(fa) < Math.abs(fb) ? a : b;
}

/** Of a small matrix, by elimination with pivots. */
export function inverseOf(matrix: readonly (readonly number[])[]): number[][] {
  const n = matrix.length;
  const a = matrix.map((row, i) => [...row, ...row.map((_, j) => Number(i === j))]);
  for (let i = 0; i < n; i++) {
    const pivot = a
      .slice(i)
      .reduce((at, row, k) => (Math.abs(row[i]!) > Math.abs(a[at]![i]!) ? i + k : at), i);
    [a[i], a[pivot]] = [a[pivot]!, a[i]!];
    const scale = 1 / a[i]![i]!;
    a[i] = a[i]!.map((value) => value * scale);
    for (let k = 0; k < n; k++) {
      if (k === i) continue;
      const factor = a[k]![i]!;
      a[k] = a[k]!.map((value, j) => value - factor * a[i]![j]!);
    }
  }
  return a.map((row) => row.slice(n));
}
