/** Networks that learn from rows with missing levels, by Monte Carlo EM (docs/mathematics.md, A.10). */
import { blockOf } from '../../data/level-blocks';
import { normalCdf, normalQuantile } from '../../normal';
import { tell } from '../../tell';
import { type Copula } from '../copula';
import { hasMissing, missingNotes } from '../correlation/ties';
import { type CopulaCapabilities } from '../fields/capabilities';
import { drawGivenCells } from './cell-draws';
import { type DenseRows } from '../inputs/rows';
import { removeCheckpoints } from '../training/checkpoint';
import { type TrainProgress, type TrainRun, type TrainSettings } from '../training/train';
import { type TrainEvent } from '../training/train-log';

/** Times that missing levels are drawn from the model itself, and the share of the steps that follow each time. */
const TURNS = 3;
const SHARE = 1 / 3;
/** Particles of a row; fewer of densities that are integrals along a path, which a few steps give well enough for weights. */
const PARTICLES = 64;
const PATH_PARTICLES = 8;
const PATH_STEPS = 6;
/** Of the network, for each column of its Jacobian: those of the steps of Runge and Kutta. */
const PATH_PASSES = 4 * PATH_STEPS;

/**
 * Trains a network; where levels are missing first with draws from the nearest Gaussian copula, then on from there in turns, each with
 * draws from the model itself given what is there. Where such draws would take longer than the training, it ends with the first.
 */
export async function trainWithMissing<S extends TrainSettings, C extends Copula>(
  capabilities: CopulaCapabilities,
  train: (u: DenseRows, settings: S, run: TrainRun) => Promise<C>,
  u: DenseRows,
  settings: S,
  run: TrainRun,
): Promise<C> {
  if (!hasMissing(u)) return train(u, settings, run);
  const incomplete = incompleteRows(u);
  const draws = drawsOf(capabilities, u.columns);
  const isDrawn = !('network' in settings && settings.network === 'published'); // which has no density
  if (!isDrawn || draws.passes * incomplete.length > settings.steps * settings.batch) {
    return train(u, settings, run);
  }
  // training may move levels of the rows that it is given
  const given = { ...u, data: u.data.slice() };
  const text = 'whose levels training draws from the model itself, given the others in the row';
  const more = Math.ceil(SHARE * settings.steps);
  const all = settings.steps + TURNS * more;
  const { checkpoint, keepCheckpoint } = run;
  let copula = await train(u, settings, { ...told(run, 0, all), keepCheckpoint: true });
  try {
    for (let turn = 1; turn <= TURNS; turn++) {
      const rows = await completedBy(copula, given, incomplete, { ...draws, seed: turn }, run);
      const next = await train(
        rows,
        { ...settings, steps: more },
        {
          ...told(run, settings.steps + (turn - 1) * more, all),
          start: copula.networkStart!,
          checkpoint: undefined,
          group: undefined,
          // rows drawn from it are likeliest to it
          movesOn: true,
          notes: missingNotes(given, text),
        },
      );
      copula.dispose();
      copula = next;
    }
    if (checkpoint !== undefined && !keepCheckpoint) await removeCheckpoints([checkpoint]);
  } catch (error) {
    copula.dispose();
    throw error;
  }
  return copula;
}

/** A run whose steps are counted from `done`, among `all`. */
function told(run: TrainRun, done: number, all: number): TrainRun {
  const { onProgress, onEvents } = run;
  const report = (progress: TrainProgress) => {
    const step = progress.step + done;
    const secondsLeft = (progress.secondsLeft * (all - step)) / Math.max(1, progress.steps - progress.step);
    tell(onProgress, { ...progress, step, steps: all, secondsLeft });
  };
  const counted = (event: TrainEvent): TrainEvent => ({
    ...event,
    step: event.step + done,
    ...('steps' in event && { steps: all }),
    ...('bestStep' in event && { bestStep: event.bestStep + done }),
  });
  return {
    ...run,
    onProgress: onProgress && report,
    onEvents: onEvents && ((events) => tell(onEvents, events.map(counted))),
  };
}

/** How levels are drawn from a model, and the passes of its network that a row takes. */
function drawsOf({ logPdf: [method] }: CopulaCapabilities, columns: number) {
  return method === 'ode'
    ? {
        particles: PATH_PARTICLES,
        density: { steps: PATH_STEPS },
        passes: PATH_PARTICLES * PATH_PASSES * columns,
      }
    : { particles: PARTICLES, density: {}, passes: PARTICLES };
}

/** Numbers of the rows with missing levels. */
function incompleteRows({ data, rows, columns }: DenseRows): number[] {
  const isMissing = (i: number) => data.subarray(i * columns, (i + 1) * columns).some(Number.isNaN);
  return Array.from({ length: rows }, (_, i) => i).filter(isMissing);
}

/** The rows with their missing levels drawn from the model. */
async function completedBy(
  copula: Copula,
  given: DenseRows,
  incomplete: readonly number[],
  { particles, density, seed }: { particles: number; density: object; seed: number },
  run: TrainRun,
): Promise<DenseRows> {
  const { columns, blocks } = given;
  const size = incomplete.length * columns;
  const [lower, upper] = [new Float64Array(size), new Float64Array(size).fill(1)];
  const places = incomplete.flatMap((i) => Array.from({ length: columns }, (_, j) => i * columns + j));
  places.forEach((place, at) => {
    const level = given.data[place]!;
    if (Number.isNaN(level)) return;
    const pairs = blocks?.[at % columns] ?? new Float64Array();
    const block = blockOf(pairs, level);
    lower[at] = block < 0 ? level : pairs[2 * block]!;
    upper[at] = block < 0 ? level : pairs[2 * block + 1]!;
  });
  const { draws, failed } = await drawGivenCells(
    copula,
    { lower: normalQuantile(lower), upper: normalQuantile(upper), rows: incomplete.length },
    { draws: 1, particles, density, seed, numbers: incomplete, constrained: () => false },
    run,
  );
  const drawn = normalCdf(draws[0]!);
  const lost = new Set(failed);
  const data = given.data.slice();
  places.forEach((place, at) => {
    // of a row that has no density anywhere its levels stay missing, as in the first part
    if (Number.isNaN(data[place]) && !lost.has(Math.floor(at / columns))) data[place] = drawn[at]!;
  });
  return { ...given, data };
}
