/** Blocks of levels of rounded measurements, in which a copula hardly varies. */
import { logWidths } from '../copulas/cells';
import type { RowCells } from '../data/column-jobs';
import type { Margins } from '../margins/margins';

/** Of normal scores: over less than this, the mean of a density is that in the middle to a few thousandths. */
const NARROW = 0.1;

/**
 * Blocks of rounded measurements that are narrow on the Gaussian scale become the level in their middle.
 *
 * @param cells changed in place
 * @returns for each row the log of the widths in u of these blocks
 */
export function narrowBlocksAsLevels({ lower, upper }: RowCells, margins: Margins): Float64Array {
  const dim = lower.columns;
  const [from, to] = [lower.data.slice(), lower.data.slice()];
  for (const [j, type] of margins.types.entries()) {
    if (type !== 'rounded') continue;
    for (let k = j; k < from.length; k += dim) {
      const [least, most] = [lower.data[k]!, upper.data[k]!];
      if (!(most - least < NARROW)) continue;
      to[k] = most;
      lower.data[k] = upper.data[k] = (least + most) / 2;
    }
  }
  return logWidths(from, to, dim, true);
}
