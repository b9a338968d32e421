/** How many times faster than the peers P4 and P1 we mean to be. */
export const targets = [
  { about: 'training of a CDC, 512 x 6', stage: 'cdc-train', model: '512x6', P4: 2, P1: 12 },
  { about: 'training of a CDC, 64 x 2', stage: 'cdc-train', model: '64x2', P4: 10, P1: 100 },
  { about: 'training of a reflection copula, 512', stage: 'reflection-train', model: '512x6', P4: 2, P1: 15 },
  {
    about: '30,000 rows of a reflection copula in 49 steps, 512',
    ...{ stage: 'reflection-sample', model: '512x6', P4: 1.5, P1: 15 },
  },
  {
    about: 'log densities of a million rows, 512 x 6, errors of float32',
    ...{ stage: 'density', model: '512x6', P4: 3, P1: 5, largestError: 5e-6 },
  },
];

/** The fastest row of a record that counts for a target; undefined where there is none. */
export function best({ model, largestError = Infinity }, record) {
  if (!record?.gpu) return undefined;
  return record.results
    .filter((row) => row.model === model && Number.isFinite(row.ms) && !(row.error > largestError))
    .sort((a, b) => a.ms - b.ms)[0];
}
