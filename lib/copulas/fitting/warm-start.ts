/** Fits that start from a model: what it must have in common with them. */
import { SklarError, describe } from '../../errors';
import { type Copula, type NetworkStart, expectCopula } from '../copula';
import { EnsembleCopula } from '../kinds/ensemble';

/** @throws SklarError ERR_SKLAR_VALUE for a model without a network or of another kind */
function startOf(from: Copula, kind: string): NetworkStart {
  const start = from.networkStart;
  if (!start || from.kind !== kind) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a ${kind} copula to start from, got ${describe(from.kind)}` +
        (start ? '' : ', which no network learned'),
    );
  }
  return start;
}

/**
 * What each of the models of a fit starts from: an ensemble's from its members, others all from the one.
 *
 * @param models of an ensemble that is fitted; undefined: one copula is
 * @throws SklarError ERR_SKLAR_VALUE naming what does not fit
 */
export function startsOf(from: Copula, kind: string, models: number | undefined): NetworkStart[] {
  expectCopula(from, 'from');
  if (!(from instanceof EnsembleCopula)) {
    return new Array<NetworkStart>(models ?? 1).fill(startOf(from, kind));
  }
  const size = from.members.length;
  if (models !== size) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      models === undefined
        ? `expected one model to start from, got an ensemble of ${size}: fit an ensemble of as many`
        : `expected an ensemble of ${models} models to start from, got one of ${size}`,
    );
  }
  const starts = from.members.map((member) => startOf(member, kind));
  for (const [k, { architecture }] of starts.entries())
    expectArchitecture(starts[0]!, architecture, `member ${k}`);
  return starts;
}

/** @param whose where the options come from, for messages */
function expectArchitecture({ architecture }: NetworkStart, options: object, whose: string): void {
  for (const [name, expected] of Object.entries(architecture)) {
    const got = (options as Record<string, unknown>)[name];
    if (got === undefined || got === expected) continue;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected ${describe(expected)} for ${name}, which the model to start from has, got ${describe(got)} (${whose})`,
    );
  }
}

/**
 * Options of a kind with those that are the model's.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming an option that is given and is not the model's
 */
export function optionsFrom(start: NetworkStart, options: object): object {
  expectArchitecture(start, options, 'its network is trained further');
  if (start.cholesky && (options as { shrinkage?: unknown }).shrinkage !== undefined) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      'shrinkage does not go with a guided model to start from, whose guide is kept',
    );
  }
  return { ...options, ...start.architecture };
}

/** @throws SklarError ERR_SKLAR_SHAPE or ERR_SKLAR_VALUE for a model of other columns */
export function expectColumns(from: Copula, columns: number, names: readonly string[] | undefined): void {
  if (from.dim !== columns) {
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected ${columns} columns of the model to start from, as the rows have, got ${from.dim}`,
    );
  }
  const other = from.names && names ? from.names.findIndex((name, j) => name !== names[j]) : -1;
  if (other < 0) return;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected the columns of the model to start from, in its order, got ${describe(names![other])} where it has ` +
      `${describe(from.names![other])} (column ${other + 1})`,
  );
}
