import { type FamilyKind, type Rotation } from '../../lib';

/** Every family with two columns, at parameters away from their bounds. */
export const examples: [FamilyKind, Record<string, number>, Rotation][] = [
  ['clayton', { theta: 2 }, 90],
  ['gumbel', { theta: 1.8 }, 180],
  ['frank', { theta: -5 }, 0],
  ['joe', { theta: 2 }, 270],
  ['amh', { theta: 0.7 }, 0],
  ['bb1', { theta: 0.8, delta: 1.4 }, 0],
  ['bb6', { theta: 1.5, delta: 1.5 }, 90],
  ['bb7', { theta: 1.8, delta: 0.9 }, 180],
  ['bb8', { theta: 4, delta: 0.7 }, 0],
  ['galambos', { theta: 1 }, 0],
  ['husler-reiss', { lambda: 1.5 }, 0],
  ['tawn', { psi1: 0.8, psi2: 0.6, theta: 2.5 }, 0],
  ['fgm', { theta: 0.6 }, 0],
  ['plackett', { theta: 6 }, 0],
];
