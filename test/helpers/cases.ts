import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const path = (file: string): string => join(__dirname, '../fixtures/cases', file);

/** A column of a small CSV file of numbers in test/fixtures/cases. */
export function caseColumn(file: string, name: string): Float64Array {
  const [header, ...rows] = readFileSync(path(file), 'utf8').trim().split('\n');
  const j = header!.split(',').indexOf(name);
  return Float64Array.from(rows, (row) => Number(row.split(',')[j]));
}

/** The numbers of a JSON file there. */
export function caseNumbers(file: string): Float64Array {
  return Float64Array.from(JSON.parse(readFileSync(path(file), 'utf8')) as number[]);
}
