// Reads the record of the solver study; needs no build.
import { ScriptError } from '../tools.mjs';

/** Evaluations of the field. */
export const budgets = [4, 8, 16, 32, 64, 128];

/** By name: a copula of the record, a solver on it, and a figure of that at so many evaluations. */
export function lookUp(record) {
  const target = (name) => record.results.find((result) => result.name === name);
  const solver = (name, label, adaptive = false) => {
    const found = target(name).solvers.find((one) => one.label === label && one.adaptive === adaptive);
    if (!found)
      throw new ScriptError(`the record has no solver '${label}' on ${name}: run npm run bench -- solvers`);
    return found;
  };
  const at = (name, label, evaluations, key = 'rmse') => {
    const own = solver(name, label);
    return own[key][own.evaluations.indexOf(evaluations)];
  };
  return { target, solver, at };
}
