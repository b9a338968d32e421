/** What counts as missing in a CSV field, and quotes; shared by the reader and the writer. */
import { isNumberText } from '../columns/plain-number';

/** Fields that stand for a missing value, besides the empty field. */
export const MISSING: readonly string[] = ['NA', 'N/A', 'NULL', 'null', 'None'];

/** A name as a field of the first line, in quotes where it could be taken for something else. */
export function quoteName(name: string): string {
  const plain =
    /^[\p{L}_](?:[\p{L}\p{N}_.-]| (?! |$))*$/u.test(name) && !isNumberText(name) && !MISSING.includes(name);
  return plain ? name : `"${name.replaceAll('"', '""')}"`;
}

/** A cell in quotes where it would be read as something else: as two cells, as a missing one, or without its spaces. */
export function quoteText(text: string, delimiter: string): string {
  const plain =
    text !== '' && !text.includes(delimiter) && !/["\r\n]|^\s|\s$/.test(text) && !MISSING.includes(text);
  return plain ? text : `"${text.replaceAll('"', '""')}"`;
}
