import { type CopulaCapabilities, formulaCapabilities } from '../fields/capabilities';
import {
  type NumberRange,
  SklarError,
  describe,
  expectNumber,
  expectObject,
  expectOneOf,
} from '../../errors';
import { type ClassicalDefinition, callNative } from '../../native';
import { findRoot } from './optimise';

/** How a parameter is moved by an optimiser: as it is, or by the logarithm of its distance from `origin`. */
type Scale = 'linear' | { readonly log: number };

export interface ParameterRule {
  readonly name: string;
  /** Where the family is a copula. */
  readonly range: NumberRange;
  /** Where a fit looks. */
  readonly box: readonly [number, number];
  readonly scale: Scale;
}

export interface FamilyRule {
  readonly parameters: readonly ParameterRule[];
  /** Rotations that are other copulas. */
  readonly rotates: boolean;
  /** Beyond two columns: the range of the one parameter there; null: two columns only. */
  readonly manyColumns: NumberRange | null;
}

const rule = (name: string, range: NumberRange, box: [number, number], scale: Scale): ParameterRule => ({
  name,
  range,
  box,
  scale,
});
const positive = (name: string, most: number) => rule(name, { above: 0 }, [1e-4, most], { log: 0 });
const fromOne = (name: string, most: number) => rule(name, { min: 1 }, [1 + 1e-6, most], { log: 1 });
const share = (name: string) => rule(name, { above: 0, max: 1 }, [1e-3, 1], 'linear');

/**
 * Upper ends of boxes. Everything is computed to rounding in them, which is worth less the steeper a copula is: with a parameter p
 * the last digit of u moves a density by p of its own.
 */
const FAR = 1e4;
const FAR_EACH = 1e3;

/** A family of copulas with parameters of its own (docs/mathematics.md, M.1). */
export type FamilyKind =
  | 'independence'
  | 'clayton'
  | 'gumbel'
  | 'frank'
  | 'joe'
  | 'amh'
  | 'bb1'
  | 'bb2'
  | 'bb3'
  | 'bb4'
  | 'bb5'
  | 'bb6'
  | 'bb7'
  | 'bb8'
  | 'galambos'
  | 'husler-reiss'
  | 'tawn'
  | 'fgm'
  | 'plackett';

/** The families with parameters of their own, as in Joe (2014), Dependence Modeling with Copulas, chapter 4. */
export const families = {
  independence: { parameters: [], rotates: false, manyColumns: {} },
  clayton: { parameters: [positive('theta', FAR)], rotates: true, manyColumns: { above: 0 } },
  gumbel: { parameters: [fromOne('theta', FAR)], rotates: true, manyColumns: { min: 1 } },
  frank: {
    parameters: [rule('theta', {}, [-FAR, FAR], 'linear')],
    rotates: false,
    manyColumns: { above: 0 },
  },
  joe: { parameters: [fromOne('theta', FAR)], rotates: true, manyColumns: { min: 1 } },
  amh: {
    parameters: [rule('theta', { min: -1, below: 1 }, [-1, 1 - 1e-9], 'linear')],
    rotates: true,
    manyColumns: { above: 0, below: 1 },
  },
  bb1: {
    parameters: [positive('theta', FAR_EACH), fromOne('delta', FAR_EACH)],
    rotates: true,
    manyColumns: null,
  },
  bb2: {
    parameters: [positive('theta', FAR_EACH), positive('delta', FAR_EACH)],
    rotates: true,
    manyColumns: null,
  },
  bb3: {
    parameters: [fromOne('theta', FAR_EACH), positive('delta', FAR_EACH)],
    rotates: true,
    manyColumns: null,
  },
  bb4: {
    parameters: [positive('theta', FAR_EACH), positive('delta', FAR_EACH)],
    rotates: true,
    manyColumns: null,
  },
  bb5: {
    parameters: [fromOne('theta', FAR_EACH), positive('delta', FAR_EACH)],
    rotates: true,
    manyColumns: null,
  },
  bb6: {
    parameters: [fromOne('theta', FAR_EACH), fromOne('delta', FAR_EACH)],
    rotates: true,
    manyColumns: null,
  },
  bb7: {
    parameters: [fromOne('theta', FAR_EACH), positive('delta', FAR_EACH)],
    rotates: true,
    manyColumns: null,
  },
  bb8: { parameters: [fromOne('theta', FAR_EACH), share('delta')], rotates: true, manyColumns: null },
  galambos: { parameters: [positive('theta', FAR)], rotates: true, manyColumns: null },
  'husler-reiss': { parameters: [positive('lambda', FAR)], rotates: true, manyColumns: null },
  tawn: {
    parameters: [share('psi1'), share('psi2'), fromOne('theta', FAR)],
    rotates: true,
    manyColumns: null,
  },
  fgm: {
    parameters: [rule('theta', { min: -1, max: 1 }, [-1, 1], 'linear')],
    rotates: false,
    manyColumns: null,
  },
  plackett: {
    parameters: [rule('theta', { above: 0 }, [1e-8, 1e8], { log: 0 })],
    rotates: false,
    manyColumns: null,
  },
} as const satisfies Record<FamilyKind, FamilyRule>;

export const familyKinds = Object.keys(families) as FamilyKind[];

/** What holds the rows themselves, or a density that follows them, in place of a few parameters. */
export type NonparametricKind = 'empirical-beta' | 'kernel';
/** A kind whose density is a formula or a table, computed in double on the CPU. */
export type ClassicalKind = FamilyKind | 'gaussian' | 'student' | NonparametricKind;
/** All of them. */
export const classicalKinds: readonly ClassicalKind[] = [
  'gaussian',
  'student',
  ...familyKinds,
  'empirical-beta',
  'kernel',
];

export function capabilitiesOf(kind: ClassicalKind): CopulaCapabilities {
  return formulaCapabilities(kind, {
    field: kind === 'gaussian',
    marginal: kind === 'gaussian' || kind === 'student' || kind === 'empirical-beta',
  });
}

export function isFamily(kind: string): kind is FamilyKind {
  return typeof kind === 'string' && Object.hasOwn(families, kind);
}

/** Returns `kind` if it is a family; throws ERR_SKLAR_VALUE otherwise. */
export function expectFamily(kind: FamilyKind): FamilyKind {
  if (isFamily(kind)) return kind;
  throw new SklarError('ERR_SKLAR_VALUE', `expected a family, got ${describe(kind)}`);
}

export const rotations = [0, 90, 180, 270] as const satisfies readonly Rotation[];
/** Degrees, counter-clockwise: c90(u, v) = c(v, 1 - u), c180(u, v) = c(1 - u, 1 - v), c270(u, v) = c(1 - v, u). */
export type Rotation = 0 | 90 | 180 | 270;

/**
 * Checks a rotation of a family in a number of columns.
 *
 * @throws SklarError ERR_SKLAR_VALUE
 */
export function expectRotation(kind: ClassicalKind, rotation: unknown, dim: number): Rotation {
  const value = expectOneOf<Rotation>(rotation, 'rotation', rotations);
  if (value === 0) return value;
  // beyond two columns none of them is radially symmetric but independence
  const turns = isFamily(kind) && (dim > 2 ? kind !== 'independence' : families[kind].rotates);
  if (!turns) {
    throw new SklarError('ERR_SKLAR_VALUE', `expected no rotation of a ${kind} copula, got ${value}`);
  }
  if (dim > 2 && value !== 180) {
    throw new SklarError('ERR_SKLAR_VALUE', `expected rotation 0 or 180 of ${dim} columns, got ${value}`);
  }
  return value;
}

/**
 * What a family has to say about its parameters in a number of columns.
 *
 * @throws SklarError ERR_SKLAR_SHAPE where it has two columns only
 */
export function parameterRules(kind: FamilyKind, dim: number): readonly ParameterRule[] {
  const { parameters, manyColumns }: FamilyRule = families[kind];
  if (dim === 2) return parameters;
  if (!manyColumns) {
    throw new SklarError('ERR_SKLAR_SHAPE', `expected 2 columns for a ${kind} copula, got ${dim}`);
  }
  return parameters.map((own) => ({
    ...own,
    range: manyColumns,
    box: [Math.max(own.box[0], 'above' in manyColumns ? manyColumns.above + 1e-4 : own.box[0]), own.box[1]],
  }));
}

/** Checks the parameters of a family, by name. */
export function expectParameters(
  kind: FamilyKind,
  dim: number,
  parameters: Readonly<Record<string, number>>,
): Record<string, number> {
  const rules = parameterRules(kind, dim);
  const unknown = Object.keys(expectObject(parameters, `the parameters of a ${kind} copula`)).find(
    (name) => !rules.some((own) => own.name === name),
  );
  if (unknown !== undefined) {
    throw new SklarError('ERR_SKLAR_VALUE', `a ${kind} copula has no parameter ${unknown}`);
  }
  return Object.fromEntries(
    rules.map(({ name, range }) => [
      name,
      expectNumber(parameters[name], `${name} of a ${kind} copula`, range),
    ]),
  );
}

/** A family as the native code takes it. */
export function definitionOf(
  family: FamilyKind,
  dim: number,
  parameters: readonly number[],
  rotation: Rotation,
): ClassicalDefinition {
  return { family, dim, parameters: Float64Array.from(parameters), rotation, factor: null };
}

/** Kendall's tau of two columns of an unrotated family. */
export function tauOf(kind: FamilyKind, parameters: readonly number[]): number {
  return callNative((addon) => addon.classicalDependence(definitionOf(kind, 2, parameters, 0))).tau;
}

/**
 * The parameter of a one-parameter family with Kendall's tau as given (unrotated; docs/mathematics.md, M.1), to rounding, looked for from independence to the
 * end of the box of a fit.
 *
 * @throws SklarError ERR_SKLAR_VALUE where the family has more parameters, none, or does not reach that tau there
 *
 * @example
 * ```ts
 * import { parameterOfTau } from 'sklar';
 *
 * parameterOfTau('clayton', 0.5); // => 2
 * ```
 */
export function parameterOfTau(kind: FamilyKind, tau: number): number {
  const rules: readonly ParameterRule[] = families[expectFamily(kind)].parameters;
  const own = rules[0];
  if (!own || rules.length > 1) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a family of one parameter, which tau determines, got ${kind} with ${rules.length}`,
    );
  }
  expectNumber(tau, 'tau', { min: -1, max: 1 });
  const { log } = typeof own.scale === 'object' ? own.scale : { log: null };
  const toParameter = (x: number) => (log === null ? x : log + Math.exp(x));
  const [least, most] = own.box;
  const low = log === null ? least : Math.log(Math.min(1e-12, least - log));
  const high = log === null ? most : Math.log(most - log);
  const at = (x: number) => tauOf(kind, [toParameter(x)]) - tau;
  if (at(low) > 1e-12 || at(high) < -1e-12) {
    const [lowest, highest] = [low, high].map((x) => Number((at(x) + tau).toPrecision(7)) + 0);
    const beyond = tau > highest! && highest! > 0.99;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected a tau between ${lowest} and ${highest} for a ${kind} copula, got ${tau}` +
        (beyond ? `, whose ${own.name} lies beyond ${most}` : '') +
        (families[kind].rotates && tau < 0 ? ' (rotation 90 or 270 turns its sign)' : ''),
    );
  }
  return toParameter(findRoot(at, low, high));
}
