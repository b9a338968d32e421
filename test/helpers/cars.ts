import { readFileSync } from 'node:fs';
import path from 'node:path';

import { Table } from '../../lib';

export const CAR_COLUMNS = [
  'Miles_per_Gallon',
  'Displacement',
  'Horsepower',
  'Weight_in_lbs',
  'Acceleration',
  'Cylinders',
] as const;

/** The 392 cars of vega-datasets that have no gaps: six columns, one of few integers. */
export function cars(columns: readonly string[] = CAR_COLUMNS): Table {
  const file = path.join(__dirname, '../../node_modules/vega-datasets/data/cars.json');
  const all = JSON.parse(readFileSync(file, 'utf8')) as Record<string, number | null>[];
  const whole = all.filter((car) => CAR_COLUMNS.every((name) => car[name] !== null));
  return new Table(
    columns,
    columns.map((name) => Float64Array.from(whole, (car) => car[name]!)),
    columns.map((name) => (name === 'Cylinders' ? 'integer' : 'float')),
  );
}
