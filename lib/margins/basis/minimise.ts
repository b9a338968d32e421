import type { Steps } from './steps';

/** Minimises a function of a few variables (Nelder and Mead 1965). */
export function* minimise(
  f: (x: readonly number[]) => number,
  start: readonly number[],
): Steps<{ x: number[]; value: number }> {
  const d = start.length;
  const vertex = (x: readonly number[]): { x: number[]; value: number } => {
    const value = f(x);
    return { x: [...x], value: Number.isNaN(value) ? Infinity : value };
  };
  let simplex = [vertex(start)];
  for (let j = 0; j < d; j++) simplex.push(vertex(start.map((value, k) => (k === j ? value + 0.2 : value))));
  for (let round = 0; round < 400 * d; round++) {
    yield;
    simplex.sort((a, b) => a.value - b.value);
    const [best, worst] = [simplex[0]!, simplex[d]!];
    const width = Math.max(...worst.x.map((value, k) => Math.abs(value - best.x[k]!)));
    if (worst.value - best.value < 1e-12 * (1 + Math.abs(best.value)) && width < 1e-7) break;
    const centre = start.map((_, k) => simplex.slice(0, d).reduce((sum, { x }) => sum + x[k]! / d, 0));
    const along = (share: number) => vertex(centre.map((value, k) => value + share * (worst.x[k]! - value)));
    const reflected = along(-1);
    let next = reflected;
    if (reflected.value < best.value) {
      const expanded = along(-2);
      if (expanded.value < reflected.value) next = expanded;
    } else if (reflected.value >= simplex[d - 1]!.value) {
      next = along(reflected.value < worst.value ? -0.5 : 0.5);
      if (next.value >= Math.min(worst.value, reflected.value)) {
        simplex = simplex.map(({ x }) => vertex(x.map((value, k) => (value + best.x[k]!) / 2)));
        continue;
      }
    }
    simplex[d] = next;
  }
  simplex.sort((a, b) => a.value - b.value);
  return simplex[0]!;
}
