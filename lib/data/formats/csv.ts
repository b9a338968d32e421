/** What counts as a number or as missing in a CSV field; shared by the reader and the writer. */

/** Fields that stand for a missing value, besides the empty field. */
export const MISSING: readonly string[] = ['NA', 'N/A', 'NULL', 'null', 'None'];

/** Underscores between thousands; others make a name such as `1_2`, which DuckDB casts to 12. */
export const THOUSANDS = /^\s*[-+]?\d{1,3}(?:_\d{3})+(?:[.,eE][^_]*)?\s*$/;

export function isNumberText(text: string): boolean {
  return /^\s*[-+]?(?:(?:(?:\d{1,3}(?:_\d{3})+|\d+)\.?\d*|\.\d+)(?:e[-+]?\d+)?|nan|inf(?:inity)?)\s*$/i.test(
    text,
  );
}

/** A name as a field of the first line, in quotes where it could be taken for something else. */
export function quoteName(name: string): string {
  const plain =
    /^[\p{L}_](?:[\p{L}\p{N}_.-]| (?! |$))*$/u.test(name) && !isNumberText(name) && !MISSING.includes(name);
  return plain ? name : `"${name.replaceAll('"', '""')}"`;
}
