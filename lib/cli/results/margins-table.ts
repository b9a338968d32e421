/** The margins of a model in a few lines: what each column was taken for. */
import { type ColumnType, cellText } from '../../data/columns/column-type';
import { shareText, valueText } from '../../margins/basis/decisions';
import type { Margin } from '../../margins/basis/margin';
import { shortText } from '../../margins/basis/rounding';
import type { Margins } from '../../margins/margins';
import { RoundedMargin } from '../../margins/types/rounded';
import { ZeroInflatedMargin } from '../../margins/types/zero-inflated';
import { textLines } from '../../report/charts/text';
import { toDigits } from '../../notes';

/** Columns of a table that is read at a glance. */
const MOST_LINES = 30;

export function marginLines(margins: Margins): string[] {
  const shown = margins.names.slice(0, MOST_LINES);
  const lines = shown.map((name, j) => {
    const margin = margins.margin(j);
    const type = margins.columnTypes[j]!;
    const ends = margin.support.map((end) => endText(type, end));
    return [name, typeText(margin), atomsText(margin), ends[0]!, ends[1]!, tailText(margin)];
  });
  const left = margins.names.length - shown.length;
  return [
    ...textLines({
      cells: [['column', 'type', 'atoms', 'from', 'to', 'tails'], ...lines],
      words: [0, 1, 2, 5],
    }),
    ...(left > 0 ? [`  ${left} more columns: --json`] : []),
  ];
}

function endText(type: ColumnType, end: number): string {
  if (!Number.isFinite(end)) return '';
  return type.type === 'number' ? shortText(end) : cellText(type, end);
}

function typeText(margin: Margin): string {
  if (!(margin instanceof RoundedMargin)) return margin.name;
  return `rounded to ${valueText(margin.parameters.step)}`;
}

function atomsText(margin: Margin): string {
  const of = margin instanceof RoundedMargin ? margin.of : margin;
  if (of.name === 'discrete') return `${of.toJSON().arrays.values!.length} values`;
  const mixture = of.name === 'gpd' ? (of as Margin & { readonly body: Margin }).body : of;
  if (!(mixture instanceof ZeroInflatedMargin)) return '';
  const { atoms, masses } = mixture.toJSON().arrays as { atoms: number[]; masses: number[] };
  const most = masses.indexOf(Math.max(...masses));
  const more = atoms.length > 1 ? ` and ${atoms.length - 1} more` : '';
  return `${valueText(atoms[most]!)} (${shareText(masses[most]!)})${more}`;
}

function tailText(margin: Margin): string {
  const of = margin instanceof RoundedMargin ? margin.of : margin;
  const { name, parameters } = of instanceof ZeroInflatedMargin ? of.rest : of;
  if (name !== 'gpd') return '';
  const number = (value: number | undefined) => String(toDigits(value!, 3));
  return (['lower', 'upper'] as const)
    .filter((side) => parameters[`${side}Threshold`] !== undefined)
    .map((side) => {
      const [threshold, shape] = [parameters[`${side}Threshold`], parameters[`${side}Shape`]];
      const where = `${side === 'lower' ? 'below' : 'above'} ${number(threshold)}`;
      return shape === 0 ? `exponential ${where}` : `Pareto ${where} (shape ${number(shape)})`;
    })
    .join(', ');
}
