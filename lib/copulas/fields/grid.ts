/** Grids by data: nodes where the steps of a solver cost a model least. */
import { SklarError } from '../../errors';
import { runJob } from '../../native';
import { type Execution } from '../inputs/run';
import { type HasField } from './field';
import { LATTICE_PARTS, type ResolvedIntegration } from './solvers';

const PILOT_ROWS = 256;
const PILOT_SEED = 0x736b6c61725f6772n;
/** Of all nodes, by moves of one length. */
const MOST_SWEEPS = 6;

/** The integration with the nodes that belong to this model, which are searched for at their first use. */
export async function onGrid(
  field: HasField,
  plan: ResolvedIntegration,
  run: Execution,
): Promise<ResolvedIntegration> {
  const { lattice, key } = plan;
  if (!lattice) return plan;
  const nodes = field.grids?.get(key) ?? (await searchNodes(field, plan, lattice, run));
  field.grids?.set(key, nodes);
  return { ...plan, nodes };
}

/**
 * Coordinate descent on the lattice, from every `LATTICE_PARTS`-th node of it (docs/mathematics.md, A.12): what is made small is
 * the distance, on the copula scale, of the ends of a pilot batch from where `rk4` on the whole lattice takes the same starts.
 *
 * @throws SklarError ERR_SKLAR_DIVERGED when `rk4` leaves the finite numbers
 */
async function searchNodes(
  field: HasField,
  plan: ResolvedIntegration,
  lattice: Float64Array,
  run: Execution,
): Promise<Float64Array> {
  const handle = field.fieldHandle();
  const endsOf = async (nodes: Float64Array, solver: string) => {
    const scale = { fromGaussian: false, toGaussian: false };
    const pilot = { rows: PILOT_ROWS, seed: PILOT_SEED, firstRow: 0n, start: null, marginMaps: null };
    const { values } = await runJob(
      (addon) => addon.fieldSample(handle, { ...plan, solver, nodes, ...scale, ...pilot, device: run }),
      { signal: run.signal },
    );
    return values;
  };
  const goal = await endsOf(lattice, 'rk4').catch((error: unknown) => {
    if (!(error instanceof SklarError) || !error.state) throw error;
    throw new SklarError(error.code, `the pilot batch of grid 'data' failed: ${error.message}`, {
      cause: error,
    });
  });
  const errorOf = async (places: readonly number[]) => {
    const nodes = Float64Array.from(places, (place) => lattice[place]!);
    const ends = await endsOf(nodes, plan.solver).catch((error: unknown) => {
      if (error instanceof SklarError && error.state) return null;
      throw error;
    });
    return ends ? ends.reduce((sum, u, i) => sum + (u - goal[i]!) ** 2, 0) : Infinity;
  };

  const steps = plan.nodes.length - 1;
  let places = Array.from(plan.nodes, (_, i) => i * LATTICE_PARTS);
  let least = await errorOf(places);
  for (let move = LATTICE_PARTS / 2; move >= 1; move /= 2) {
    let better = true;
    for (let sweep = 0; better && sweep < MOST_SWEEPS; sweep++) {
      better = false;
      for (let i = 1; i < steps; i++) {
        for (const place of [places[i]! - move, places[i]! + move]) {
          if (place <= places[i - 1]! || place >= places[i + 1]!) continue;
          const trial = places.with(i, place);
          const error = await errorOf(trial);
          if (error < least) {
            [places, least, better] = [trial, error, true];
            break;
          }
        }
      }
    }
  }
  return Float64Array.from(places, (place) => lattice[place]!);
}
