import { SklarError, describe, expectOneOf } from '../../errors';
import type { Note } from '../../notes';
import { type TypeName, typeNames } from '../columns/column-type';
import type { WantedType } from '../columns/infer-type';
import { listNames } from '../table';
import { filesWords } from './table-files';

export interface ReadTableOptions {
  /** Which columns to read, in this order; default all. */
  readonly columns?: readonly string[];
  /** Columns to leave out. */
  readonly exclude?: readonly string[];
  /** Stops reading; the promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** CSV and TSV: whether the first line names the columns; default: decided by looking at the first lines. */
  readonly header?: boolean;
  /** CSV and TSV: the character between fields; default: tab for .tsv, else whichever of `, ; tab |` fits. */
  readonly delimiter?: string;
  /**
   * CSV and TSV: the decimal mark, `.` or `,`; default: `,` where fields between other delimiters have it and none has a
   * point, else `.`.
   */
  readonly decimal?: '.' | ',';
  /** CSV and TSV: texts that stand for missing cells, in place of the usual ones: none, `NA`, `N/A`, `NULL`, `null`, `None`. */
  readonly null?: readonly string[];
  /**
   * CSV, TSV and JSON: how texts are encoded, by its label in the Encoding Standard: `utf-8`, `utf-16le`, `utf-16be`, `windows-1252` (also
   * `latin1`), `iso-8859-2`, `shift_jis`, `gb18030`, ...; default: what a byte order mark says, else UTF-8.
   */
  readonly encoding?: string;
  /**
   * Types of columns, by name: one of `number`, `integer`, `boolean`, `category`, `date`, `time`, `timestamp`, `id`, dates and times
   * also with a format, as in `date:DD/MM/YYYY` (see `ColumnType`); default: what all cells fit.
   */
  readonly types?: Readonly<Record<string, string>>;
  /**
   * Formats of dates and times that columns have in other files of the same table (`TableSchema.formats`), as in `types`: followed where at least
   * half of the different texts fit, others are missing; columns that are not there do not matter.
   */
  readonly formats?: Readonly<Record<string, string>>;
  /** Told what was decided about the file by looking at it. */
  readonly onNote?: ((note: Note) => void) | undefined;
}

/**
 * The types that were asked for, by column, and the formats that are expected.
 *
 * @throws SklarError ERR_SKLAR_VALUE for columns that do not exist, and types that are none
 */
export function wantedTypes(
  { types = {}, formats = {} }: Pick<ReadTableOptions, 'types' | 'formats'>,
  available: readonly string[],
  files: readonly string[],
): ReadonlyMap<string, WantedType> {
  const wanted = new Map<string, WantedType>();
  const expected = Object.entries(formats).filter(
    ([name]) => available.includes(name) && !Object.hasOwn(types, name),
  );
  for (const [name, text] of [...expected, ...Object.entries(types)]) {
    if (!available.includes(name)) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected names of existing columns for types, got ${describe(name)} (${filesWords(files)}; available: ${listNames(available, 50)})`,
      );
    }
    const [, type = '', format] = /^([^:]*)(?::(.*))?$/s.exec(String(text)) ?? [];
    expectOneOf<TypeName>(type, `the type of column ${describe(name)}`, typeNames);
    if (format !== undefined && !/^(?:date|time|timestamp)$/.test(type)) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected a type without a format for column ${describe(name)}, got ${describe(text)}: formats belong to date, time and timestamp`,
      );
    }
    const isExpected = !Object.hasOwn(types, name);
    wanted.set(name, { type: type as TypeName, format, ...(isExpected && { expected: true }) });
  }
  return wanted;
}
