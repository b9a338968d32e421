/** What type-checks and what does not: `npm run typecheck` reads these. */
import {
  type CdcCopula,
  type CopulaSpec,
  type FamilyCopula,
  type FlowCopula,
  type LogPdfOptions,
  type SampleOptions,
  fitCopula,
} from '../lib';

const specs: CopulaSpec[] = [
  {},
  { levels: 5 },
  { kind: 'cdc', levels: 5 },
  { kind: 'bb1', rotation: 180 },
  { kind: 'student', method: 'tau' },
  { kind: 'flow', process: 'jacobi', cosines: 4 },
  { kind: 'reflection', network: 'published' },
  { kind: 'kernel', bandwidth: 1.2 },
  { kind: 'empirical-beta' },
  // @ts-expect-error: levels belong to a cdc
  { kind: 'flow', levels: 5 },
  // @ts-expect-error: rotations belong to classical kinds
  { kind: 'cdc', rotation: 90 },
  // @ts-expect-error: no such kind
  { kind: 'gaussain' },
];

const samples: SampleOptions[] = [
  { solver: 'ab2', steps: 10 },
  { solver: 'published' },
  // @ts-expect-error: no such solver
  { solver: 'ab3' },
];
const scores: LogPdfOptions[] = [
  { method: 'ode', solver: 'tsit5' },
  // @ts-expect-error: the published sampler gives no likelihood
  { method: 'ode', solver: 'published' },
];

test('kinds have the options of their own', async () => {
  expect([specs.length, samples.length, scores.length]).toEqual([12, 3, 2]);
  const u = Array.from({ length: 20 }, (_, i) => [(i + 0.5) / 20, (((7 * i) % 20) + 0.5) / 20]);
  const few = { hidden: 8, depth: 1, steps: 2, batch: 8, validation: 0 };
  const cdc: CdcCopula = await fitCopula(u, few);
  const flow: FlowCopula = await fitCopula(u, { kind: 'flow', ...few });
  const clayton: FamilyCopula = await fitCopula(u, { kind: 'clayton', rotation: 90 });
  expect([cdc.kind, flow.kind, clayton.kind]).toEqual(['cdc', 'flow', 'clayton']);
  // @ts-expect-error: levels belong to a cdc
  await expect(fitCopula(u, { kind: 'flow', levels: 5 })).rejects.toThrow('levels');
});
