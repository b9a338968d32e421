/** From the cells of a file to a column of a table. */
import { type Note, columnsNote } from '../../notes';
import { calendarFormat } from './calendar';
import { type ColumnType, decimalsOf } from './column-type';
import { type WantedType, inferType } from './infer-type';
import type { NumberBuilder } from './number-builder';
import { TextBuilder } from './text-builder';

/** A column as a file has it. */
export interface ReadColumn {
  readonly name: string;
  readonly values: Float64Array;
  readonly type: ColumnType;
  /** What was decided about its cells. */
  readonly notes: readonly Note[];
}

/** The years of dates that are written as whole numbers, 20240131. */
const FIRST_DAY = 19_000_101;
const LAST_DAY = 21_001_231;
const FEWEST_DAYS = 3;

/**
 * A column of numbers; infinite ones are missing.
 *
 * @throws SklarError ERR_SKLAR_VALUE where it cannot have the wanted type
 */
export function columnOfNumbers(
  name: string,
  builder: NumberBuilder,
  {
    wanted,
    type: typeOf,
  }: {
    readonly wanted?: WantedType | undefined;
    readonly type?: ((values: Float64Array) => ColumnType) | undefined;
  } = {},
): ReadColumn {
  const values = builder.finish();
  const notes: Note[] = [];
  if (builder.infinite > 0) {
    for (let i = 0; i < values.length; i++)
      if (!Number.isNaN(values[i]) && !Number.isFinite(values[i])) values[i] = NaN;
    const cells = builder.infinite === 1 ? 'cell was' : 'cells were';
    notes.push(columnsNote('missing', [name], `${builder.infinite} infinite ${cells} taken for missing`));
  }
  if (wanted && wanted.type !== 'number' && !(wanted.type === 'integer' && builder.integer)) {
    const texts = new TextBuilder();
    for (const value of values) texts.push(Number.isNaN(value) ? null : String(value));
    const column = columnOfTexts(name, texts, wanted);
    return { ...column, notes: [...notes, ...column.notes] };
  }
  const own = typeOf?.(values);
  if (own) return { name, values, type: own, notes };
  if (builder.integer && wanted === undefined) {
    const days = asDays(values);
    if (days) {
      const example = values.find((value) => !Number.isNaN(value))!;
      const format = 'YYYYMMDD';
      notes.push(columnsNote('schema', [name], `${example} was read as a date, ${format}`));
      return { name, values: days, type: { type: 'date', format }, notes };
    }
  }
  const type: ColumnType =
    builder.integer && wanted?.type !== 'number' ? { type: 'integer' } : numbersOf(values);
  return { name, values, type, notes };
}

function numbersOf(values: Float64Array): ColumnType {
  const decimals = decimalsOf(values);
  return { type: 'number', ...(decimals !== undefined && decimals > 0 && { decimals }) };
}

/** The days of whole numbers that are all dates, YYYYMMDD. */
function asDays(values: Float64Array): Float64Array | null {
  if (
    values.length === 0 ||
    !values.every((value) => Number.isNaN(value) || (value >= FIRST_DAY && value <= LAST_DAY))
  ) {
    return null;
  }
  const format = calendarFormat('YYYYMMDD')!;
  const different = new Set<number>();
  const days = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    days[i] = Number.isNaN(values[i]) ? NaN : format.read(String(values[i]));
    if (Number.isNaN(days[i])) {
      if (Number.isNaN(values[i])) continue;
      return null;
    }
    different.add(days[i]!);
  }
  return different.size >= FEWEST_DAYS ? days : null;
}

/** A column of texts, of the type that they have; see `inferType`. */
export function columnOfTexts(name: string, builder: TextBuilder, wanted?: WantedType): ReadColumn {
  const { type, values, notes } = inferType(builder.texts(name), wanted);
  return { name, values: builder.finish(values), type, notes };
}
