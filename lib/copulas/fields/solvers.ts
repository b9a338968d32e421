import { z } from 'zod';

import { type OptionNames, type OptionShape, SklarError } from '../../errors';
import { type NativeIntegration } from '../../native';
import { andWords } from '../../notes';
import { parseOptions } from '../inputs/options';
import { type Process, processes } from '../../processes';

/**
 * An integrator of a learned field (docs/mathematics.md, A.8 and B.3; docs/solvers.md compares them).
 *
 * - ordinary differential equations: `euler` (order 1), `heun` and `ab2` (2), `rk4` (4), `dopri5` and `tsit5` (5)
 * - made for denoisers: `ddim`, with noise where `eta` is above 0, and `dpmpp-2m`
 * - stochastic: `exponential-em` (two-step), `exponential-em-one-step`, `euler-maruyama`, `sra1` and `shark` (strong order
 *   1.5), `dpmpp-2m-sde`
 */
export type SolverName =
  | 'ab2'
  | 'heun'
  | 'euler'
  | 'rk4'
  | 'dopri5'
  | 'tsit5'
  | 'ddim'
  | 'dpmpp-2m'
  | 'dpmpp-2m-sde'
  | 'exponential-em'
  | 'exponential-em-one-step'
  | 'euler-maruyama'
  | 'sra1'
  | 'shark';

/** What an ODE is integrated in: `w` = e^-2t, `alpha` = e^-t, `theta` = acos e^-t; `time` of processes on the cube. */
export type ClockName = 'w' | 'alpha' | 'theta' | 'time';
const clockNames = ['w', 'alpha', 'theta', 'time'] as const satisfies readonly ClockName[];

/**
 * How the steps are spaced: uniform in `w`, `alpha`, `theta`, `time` or `lambda` = log(alpha / sigma); at the noise
 * `levels` of a cdc; `quadratic` in the time of a process on the cube, dense near data; `data`: where they cost this model
 * least, searched for on a pilot batch at the first use and stored with the model (docs/mathematics.md, A.12), of deterministic solvers
 * in a clock, at most 32 steps.
 */
export type GridName = 'w' | 'alpha' | 'theta' | 'time' | 'lambda' | 'levels' | 'quadratic' | 'data';
type FixedGrid = Exclude<GridName, 'data'>;
const gridNames = [
  'w',
  'alpha',
  'theta',
  'time',
  'lambda',
  'levels',
  'quadratic',
  'data',
] as const satisfies readonly GridName[];

/** How a field is integrated; what does not fit the solver or the process is an error that names it. */
export interface SolverOptions {
  /** Default `ab2`, with `noise` `exponential-em`, of a likelihood `dopri5`; on the cube `heun`, `euler-maruyama`, `dopri5`. */
  solver?: SolverName | undefined;
  /** Steps of a fixed grid; every solver has a default. */
  steps?: number | undefined;
  /** Add noise on the way (a stochastic differential equation); picks the default solver of that family. Default false. */
  noise?: boolean | undefined;
  /**
   * Of `euler`, `heun`, `rk4`, `dopri5`, `tsit5` and `ab2`. Default `w` of `ab2`, `heun` and `euler`, `theta` of the others and
   * where a flow is sampled; on the cube `time`.
   */
  clock?: ClockName | undefined;
  /** Default that of the clock or the solver; `levels` where the steps of a cdc fall on them. Of `data` the default is 10 steps. */
  grid?: GridName | undefined;
  /**
   * Relative tolerance of `dopri5`, `tsit5`, `sra1` and `shark`, whose steps are then chosen for each row: the error of a step
   * is kept below `atol + rtol |z|`, root mean square over the columns. Default `atol`.
   */
  rtol?: number | undefined;
  /** Absolute tolerance of the same; default `rtol`, or 1e-5 of `dopri5` and `tsit5` without `steps`. */
  atol?: number | undefined;
  /** Noise of `ddim`, from 0 (default, none) to 1 (ancestral). */
  eta?: number | undefined;
  /** After each step of a fixed grid, so many steps of a process that leaves the law there as it is; default 0. */
  correctorSteps?: number | undefined;
  /** Size of such a step, in ou time (default 0.05) or in the square of a length of the cube (default 0.001). */
  correctorSize?: number | undefined;
  /**
   * `steps` (default): Brownian increments are drawn for each step. `tree`: they belong to one Brownian path for each row
   * of the seed, whatever the grid, so that grids can be compared path by path. Stochastic solvers that choose their steps
   * always take the tree.
   */
  brownian?: 'steps' | 'tree' | undefined;
}

/** Options as they come in, with solvers that only some models have. */
export type GivenSolverOptions = Omit<SolverOptions, 'solver'> & { solver?: string | undefined };

const MOST_STEPS = 100_000;
/** Of grid 'data', whose search takes time in the square of the steps. */
const DATA_STEPS = 10;
const MOST_DATA_STEPS = 32;
/** Places of grid 'data' between two nodes of the grid that its search starts from. */
export const LATTICE_PARTS = 8;
/** SDEs run in time t from here when the reference is pure noise, t = infinity. */
const START_TIME = 3;
/** Ends of a grid of lambda: tan(theta) = sigma / alpha. */
const LAMBDA_TANGENTS = [20, 0.02] as const;

interface Traits {
  family: 'ode' | 'diffusion' | 'sde';
  /** Does it follow an ODE in a clock? Then it can go both ways and gives likelihoods. */
  clock?: Exclude<ClockName, 'time'>;
  adaptive?: true;
  /** It goes through the cube, continued beyond its faces. */
  cube?: true;
  /** Its steps fall on the levels of a cdc where there are enough of them. */
  levels?: true;
  grid: FixedGrid;
  steps: number;
}

const traits: Readonly<Record<SolverName, Traits>> = {
  ab2: { family: 'ode', clock: 'w', cube: true, levels: true, grid: 'w', steps: 32 },
  heun: { family: 'ode', clock: 'w', cube: true, levels: true, grid: 'w', steps: 20 },
  euler: { family: 'ode', clock: 'w', cube: true, grid: 'w', steps: 100 },
  rk4: { family: 'ode', clock: 'theta', cube: true, grid: 'theta', steps: 20 },
  dopri5: { family: 'ode', clock: 'theta', adaptive: true, cube: true, grid: 'theta', steps: 12 },
  tsit5: { family: 'ode', clock: 'theta', adaptive: true, cube: true, grid: 'theta', steps: 12 },
  ddim: { family: 'diffusion', grid: 'theta', steps: 50 },
  'dpmpp-2m': { family: 'diffusion', grid: 'lambda', steps: 25 },
  'dpmpp-2m-sde': { family: 'sde', grid: 'lambda', steps: 40 },
  'exponential-em': { family: 'sde', levels: true, grid: 'w', steps: 50 },
  'exponential-em-one-step': { family: 'sde', levels: true, grid: 'w', steps: 100 },
  'euler-maruyama': { family: 'sde', cube: true, grid: 'time', steps: 200 },
  sra1: { family: 'sde', adaptive: true, grid: 'time', steps: 60 },
  shark: { family: 'sde', adaptive: true, grid: 'time', steps: 60 },
};

/** All of them. */
export const solverNames = Object.keys(traits) as SolverName[];

const optionsSchema = z.strictObject({
  solver: z.enum(solverNames).optional(),
  steps: z.int().min(1).max(MOST_STEPS).optional(),
  noise: z.boolean().optional(),
  clock: z.enum(clockNames).optional(),
  grid: z.enum(gridNames).optional(),
  rtol: z.number().min(0).max(1).optional(),
  atol: z.number().min(1e-14).max(1).optional(),
  eta: z.number().min(0).max(1).optional(),
  correctorSteps: z.int().min(0).max(1000).optional(),
  correctorSize: z.number().positive().max(10).optional(),
  brownian: z.enum(['steps', 'tree']).optional(),
} satisfies OptionShape<SolverOptions>);
export const solverOptions: OptionNames<SolverOptions> = optionsSchema.shape;
export const solverOptionKeys = Object.keys(solverOptions) as (keyof SolverOptions)[];

/** Of options of any kind, those of the solver that were given. */
export function givenSolverOptions<O extends GivenSolverOptions>(
  options: O,
): Pick<O, keyof O & keyof SolverOptions> {
  return Object.fromEntries(
    solverOptionKeys.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]])),
  ) as Pick<O, keyof O & keyof SolverOptions>;
}

/** The solvers that have a trait, for messages. */
const solversWith = (trait: keyof Traits) => solverNames.filter((name) => traits[name][trait]);

/** What is integrated: the process, where it starts, and the times of a cdc's noise levels. */
export interface IntegrationProblem {
  process: Process;
  /** Of ou pi / 2 for pure noise, else the angle acos e^-T; T of the others. */
  reference: number;
  /** Times t of noise levels, 0 first, increasing, the last may be Infinity; null: the field has none. */
  levels: ArrayLike<number> | null;
}

export type Integration = Omit<
  NativeIntegration,
  'rows' | 'seed' | 'firstRow' | 'fromGaussian' | 'toGaussian' | 'device'
>;

export interface ResolvedIntegration extends Integration {
  /** Of grid 'data': where its nodes may be, among them `nodes`, every `LATTICE_PARTS`-th; null: the nodes are what they are. */
  lattice: Float64Array | null;
  /** Says which law the result has: equal keys, equal laws. */
  key: string;
}

function misfit(message: string): SklarError {
  return new SklarError('ERR_SKLAR_VALUE', message);
}

const angleOf = (time: number) =>
  time === Infinity ? Math.PI / 2 : Math.atan2(Math.sqrt(-Math.expm1(-2 * time)), Math.exp(-time));
const timeOf = (angle: number) =>
  angle >= Math.PI / 2 ? Infinity : -0.5 * Math.log1p(-(Math.sin(angle) ** 2));

/** steps + 1 values from `first` to `last`, both met exactly. */
const spaced = (first: number, last: number, steps: number): number[] =>
  Array.from({ length: steps + 1 }, (_, i) =>
    i === 0 ? first : i === steps ? last : first + ((last - first) * i) / steps,
  );

/** The nodes of a grid from the reference to data. */
function gridNodes(
  grid: FixedGrid,
  steps: number,
  { process, reference, levels }: IntegrationProblem,
): number[] {
  if (processes[process].cube) {
    return spaced(1, 0, steps).map((share) => reference * (grid === 'quadratic' ? share * share : share));
  }
  const pure = reference >= Math.PI / 2;
  switch (grid) {
    case 'w':
    case 'alpha': {
      const angle = (x: number) => {
        const alpha = grid === 'w' ? Math.sqrt(x) : x;
        return Math.atan2(Math.sqrt((1 - alpha) * (1 + alpha)), alpha);
      };
      const start = pure ? 0 : Math.cos(reference);
      const nodes = spaced(grid === 'w' ? start * start : start, 1, steps).map(angle);
      nodes[0] = reference;
      return nodes;
    }
    case 'theta':
      return spaced(reference, 0, steps);
    case 'time': {
      const start = Math.min(timeOf(reference), START_TIME);
      // pure noise is left in one step
      const rest = pure && steps > 1 ? spaced(start, 0, steps - 1) : pure ? [0] : spaced(start, 0, steps);
      return [...(pure ? [reference] : []), ...rest.map(angleOf)];
    }
    case 'lambda': {
      const start = Math.min(Math.tan(Math.min(reference, 1.57)), LAMBDA_TANGENTS[0]);
      const logs =
        steps > 1 ? spaced(Math.log(start), Math.log(LAMBDA_TANGENTS[1]), steps - 1) : [Math.log(start)];
      return [...logs.map((x) => Math.atan(Math.exp(x))), 0];
    }
    case 'levels': {
      const last = levels!.length - 1;
      return Array.from({ length: steps + 1 }, (_, i) =>
        angleOf(levels![last - Math.floor((i * last + Math.floor(steps / 2)) / steps)]!),
      );
    }
    case 'quadratic':
      break;
  }
  throw misfit("grid 'quadratic' belongs to processes on the cube");
}

/**
 * Options of an integration with their defaults, and the grid that they mean.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming an option that is out of range or does not fit the solver, the process or the
 *   direction
 */
export function resolveIntegration(
  options: GivenSolverOptions,
  problem: IntegrationProblem,
  direction: 'sample' | 'likelihood' = 'sample',
): ResolvedIntegration {
  const given = parseOptions(optionsSchema, options, 'a solver');
  const { cube, noise } = processes[problem.process];
  const likelihood = direction === 'likelihood';
  const solver: SolverName =
    given.solver ??
    (given.noise
      ? cube
        ? 'euler-maruyama'
        : 'exponential-em'
      : likelihood
        ? 'dopri5'
        : cube
          ? 'heun'
          : 'ab2');
  const own = traits[solver];
  const eta = given.eta ?? 0;
  const stochastic = own.family === 'sde' || eta > 0;

  if (given.noise !== undefined && given.noise !== stochastic) {
    throw misfit(
      `solver '${solver}' ${stochastic ? 'adds' : 'does not add'} noise: leave out the option noise` +
        (solver === 'ddim' ? ', or set eta' : ''),
    );
  }
  if (cube && !(own.cube && (noise || !stochastic))) {
    throw misfit(`solver '${solver}' does not fit the ${problem.process} process`);
  }
  if (likelihood && !own.clock) {
    throw misfit(`solver '${solver}' gives no likelihood: use ${solversWith('clock').join(', ')}`);
  }
  if (given.eta !== undefined && solver !== 'ddim')
    throw misfit(`eta belongs to solver 'ddim', not '${solver}'`);
  if (given.brownian !== undefined && !stochastic) {
    throw misfit(`brownian belongs to solvers that add noise, not to '${solver}'`);
  }

  const tolerances = given.rtol !== undefined || given.atol !== undefined;
  if (tolerances && !own.adaptive) {
    throw misfit(
      `solver '${solver}' has a fixed grid: rtol and atol belong to ${andWords(solversWith('adaptive'))}`,
    );
  }
  if (tolerances && (given.steps !== undefined || given.grid !== undefined)) {
    throw misfit('either tolerances (rtol, atol) or a fixed grid (steps, grid), not both');
  }
  const adaptive =
    tolerances ||
    (own.adaptive === true && own.family === 'ode' && given.steps === undefined && given.grid === undefined);
  if (adaptive && given.brownian === 'steps') {
    throw misfit("a stochastic solver that chooses its steps needs brownian 'tree'");
  }

  if (given.clock !== undefined && !own.clock) throw misfit(`solver '${solver}' has no clock`);
  if (given.clock !== undefined && (given.clock === 'time') !== cube) {
    throw misfit(`clock '${given.clock}' does not fit the ${problem.process} process`);
  }
  const clock: ClockName = cube ? 'time' : (given.clock ?? own.clock ?? 'theta');

  const correctorSteps = given.correctorSteps ?? 0;
  if (given.correctorSize !== undefined && correctorSteps === 0) {
    throw misfit('correctorSize needs correctorSteps of at least 1');
  }
  if (correctorSteps > 0 && !noise) throw misfit(`correctorSteps do not fit the ${problem.process} process`);
  if (correctorSteps > 0 && (adaptive || likelihood)) {
    throw misfit(`correctorSteps need ${adaptive ? 'a fixed grid' : 'a sample, not a likelihood'}`);
  }
  const correctorSize = given.correctorSize ?? (cube ? 1e-3 : 0.05);

  const atol = given.atol ?? (given.rtol ? given.rtol : 1e-5);
  const rtol = given.rtol ?? atol;
  const { grid, steps } = chooseGrid(given, own, clock, problem);
  const byData = given.grid === 'data';
  if (byData && !own.clock) {
    throw misfit(`grid 'data' belongs to ${andWords(solversWith('clock'))}, not to '${solver}'`);
  }
  if (byData && (likelihood || correctorSteps > 0)) {
    throw misfit(`grid 'data' is chosen for samples ${likelihood ? 'alone' : 'without correctorSteps'}`);
  }
  if (byData && steps > MOST_DATA_STEPS) {
    throw misfit(`grid 'data' has at most ${MOST_DATA_STEPS} steps, got ${steps}`);
  }
  const nodes = adaptive ? adaptiveNodes(own, clock, problem) : gridNodes(grid, steps, problem);
  if (likelihood) nodes.reverse();
  return {
    solver,
    clock,
    nodes: Float64Array.from(adaptive && likelihood ? mirrored(nodes) : nodes),
    adaptive,
    rtol: adaptive ? rtol : 0,
    atol: adaptive ? atol : 0,
    eta,
    correctorSteps,
    correctorSize: correctorSteps > 0 ? correctorSize : 0,
    lattice: byData ? Float64Array.from(gridNodes(grid, LATTICE_PARTS * steps, problem)) : null,
    brownianTree: stochastic && (adaptive || given.brownian === 'tree'),
    key: [
      solver,
      adaptive ? `${rtol}-${atol}` : String(steps),
      ...(given.clock === undefined ? [] : [`clock-${clock}`]),
      ...(given.grid === undefined ? [] : [`grid-${given.grid}`]),
      ...(eta > 0 ? [`eta-${eta}`] : []),
      ...(correctorSteps > 0 ? [`corrector-${correctorSteps}-${correctorSize}`] : []),
    ].join('.'),
  };
}

/** Of grid 'data': the one that its search starts from. */
function chooseGrid(
  given: z.output<typeof optionsSchema>,
  own: Traits,
  clock: ClockName,
  { process, levels }: IntegrationProblem,
): { grid: FixedGrid; steps: number } {
  if (given.grid === 'data') {
    return { grid: processes[process].cube ? 'quadratic' : clock, steps: given.steps ?? DATA_STEPS };
  }
  if (processes[process].cube) {
    const grid = given.grid ?? 'quadratic';
    if (grid !== 'quadratic' && grid !== 'time') {
      throw misfit(`grid '${grid}' does not fit the ${process} process: expected 'quadratic' or 'time'`);
    }
    return { grid, steps: given.steps ?? own.steps };
  }
  if (given.grid === 'quadratic') throw misfit("grid 'quadratic' does not fit the ou process");
  const most = levels ? levels.length - 1 : 0;
  const usual = levels !== null && own.levels === true && (own.clock ? clock === 'w' : true);
  const steps = given.steps ?? (usual || given.grid === 'levels' ? most : own.steps);
  const grid = given.grid ?? (usual && steps <= most ? 'levels' : own.clock ? clock : own.grid);
  if (grid === 'levels' && (levels === null || steps > most)) {
    throw misfit(
      levels === null
        ? "grid 'levels' needs a model with noise levels"
        : `grid 'levels' has at most ${most} steps for ${levels.length} noise levels, got ${steps}`,
    );
  }
  return { grid, steps };
}

/** From the reference to data; the second node is the end of the first trial step, one twentieth of the way. */
function adaptiveNodes(own: Traits, clock: ClockName, problem: IntegrationProblem): number[] {
  const { reference, process } = problem;
  if (own.family === 'sde') {
    const start = Math.min(timeOf(reference), START_TIME);
    const pure = timeOf(reference) === Infinity ? [reference] : [];
    return [...pure, angleOf(start), angleOf(0.95 * start), 0];
  }
  const second = gridNodes(processes[process].cube ? 'time' : clock, 20, problem)[1]!;
  return [reference, second, 0];
}

/** [0, last trial, reference] of a likelihood: its first trial step is as long as that from the other end. */
function mirrored([first, second, last]: readonly number[]): number[] {
  return [first!, first! + (last! - second!), last!];
}
