/** From the cells of a file to a column of a table. */
import { type Note, columnsNote } from '../../notes';
import { type ColumnType } from './column-type';
import { CLOCK_FORMAT, clockNote, clockOf } from './clocks';
import { DAY_FORMAT, dayOf } from './days';
import { type WantedType, inferType } from './infer-type';
import type { NumberBuilder } from './number-builder';
import { TextBuilder } from './text-builder';

/** A column as a file has it. */
export interface ReadColumn {
  readonly name: string;
  /** Of a column that is kept. */
  readonly values: Float64Array;
  readonly type: ColumnType;
  /** What was decided about its cells. */
  readonly notes: readonly Note[];
  /** Its cells when they are read again. */
  readonly cells: CellRule;
}

/** How the cells of a file are read, and what numbers they are; of other cells than those seen before undefined. */
export type CellRule =
  | { readonly as: 'number'; readonly numberOf: (cell: number) => number | undefined }
  | { readonly as: 'text'; readonly numberOf: (cell: string) => number | undefined };

/** What is known of a column beside its cells. */
export interface NumbersOptions {
  readonly wanted?: WantedType | undefined;
  /** What its numbers stand for, given their decimals (see `decimalsOf`), where its file says so. */
  readonly type?: ((decimals: number | undefined) => ColumnType) | undefined;
}

/** Whether numbers become texts, since such a type was asked for. */
export function asLabels(wanted: WantedType | undefined): boolean {
  return wanted !== undefined && !/^(?:number|integer)$/.test(wanted.type);
}

/**
 * A column of numbers; infinite ones are missing.
 *
 * @throws SklarError ERR_SKLAR_VALUE where it cannot have the wanted type
 */
export function columnOfNumbers(
  name: string,
  builder: NumberBuilder,
  { wanted, type: typeOf }: NumbersOptions = {},
): ReadColumn {
  const values = builder.finish();
  if (asLabels(wanted)) {
    const texts = new TextBuilder(values.length);
    for (const value of values) texts.push(numberText(value));
    return columnOfNumberTexts(name, texts, builder.infinite, wanted);
  }
  if (wanted?.type === 'integer' && builder.fraction !== undefined) {
    const texts = new TextBuilder();
    texts.push(String(builder.fraction));
    inferType(texts.texts(name), wanted);
  }
  const isOpen = wanted === undefined && typeOf === undefined;
  const [day, clock] = isOpen ? [builder.day, builder.clock(name)] : [];
  const notes = infiniteNotes(name, builder.infinite);
  if (day !== undefined)
    notes.push(columnsNote('schema', [name], `${day} was read as a date, ${DAY_FORMAT}`));
  else if (clock !== undefined) notes.push(clockNote(name, clock));
  const numberOf = day !== undefined ? dayOf : clock !== undefined ? clockOf : finite;
  if (numberOf !== finite || builder.infinite > 0)
    for (let i = 0; i < values.length; i++) values[i] = numberOf(values[i]!);
  const { decimals } = builder;
  const numberTypeOf = (): ColumnType => {
    if (day !== undefined) return { type: 'date', format: DAY_FORMAT };
    if (clock !== undefined) return { type: 'time', format: CLOCK_FORMAT };
    if (wanted?.type === 'integer') return { type: 'integer', asked: true };
    if (builder.integer && wanted?.type !== 'number') return { type: 'integer' };
    return { type: 'number', ...(decimals !== undefined && decimals > 0 && { decimals }) };
  };
  const type = typeOf?.(decimals) ?? numberTypeOf();
  return { name, values, type, notes, cells: { as: 'number', numberOf } };
}

const finite = (value: number) => (Number.isFinite(value) ? value : NaN);

/** A number as the text of a label; null: it is missing. */
export function numberText(value: number): string | null {
  return Number.isFinite(value) ? String(value) : null;
}

/** A column whose numbers, of which so many are infinite, were put into texts by `numberText`. */
export function columnOfNumberTexts(
  name: string,
  texts: TextBuilder,
  infinite: number,
  wanted: WantedType | undefined,
): ReadColumn {
  const column = columnOfTexts(name, texts, wanted);
  const { numberOf } = column.cells as CellRule & { as: 'text' };
  return {
    ...column,
    notes: [...infiniteNotes(name, infinite), ...column.notes],
    cells: {
      as: 'number',
      numberOf: (value) => {
        const text = numberText(value);
        return text === null ? NaN : numberOf(text);
      },
    },
  };
}

function infiniteNotes(name: string, infinite: number): Note[] {
  if (infinite === 0) return [];
  const cells = infinite === 1 ? 'cell was' : 'cells were';
  return [columnsNote('missing', [name], `${infinite} infinite ${cells} taken for missing`)];
}

/** A column of texts, of the type that they have; see `inferType`. */
export function columnOfTexts(name: string, builder: TextBuilder, wanted?: WantedType): ReadColumn {
  const { type, values, notes } = inferType(builder.texts(name), wanted);
  const numberOf = (text: string) => {
    if (text.trim() === '') return NaN;
    const k = builder.indexOf(text);
    return k === undefined ? undefined : values[k];
  };
  return { name, values: builder.finish(values), type, notes, cells: { as: 'text', numberOf } };
}
