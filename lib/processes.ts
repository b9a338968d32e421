/**
 * How dependence is forgotten (docs/mathematics.md, section 1): `ou`, Ornstein-Uhlenbeck on the Gaussian scale; `reflection`,
 * straight lines reflected at the faces of the unit cube; `jacobi`, the Jacobi process in the unit cube.
 */
export type Process = 'ou' | 'reflection' | 'jacobi';

/** See native/process/process.h. */
interface ProcessTraits {
  /** States are rows on the copula scale, else on the Gaussian scale. */
  cube: boolean;
  /** Stochastic solvers know it. */
  noise: boolean;
  /** At this time log c_t of every copula is below 1e-9. */
  reference: number;
  /** Where the paths that a flow learns end; null: a kind of its own learns them. */
  flow: number | null;
}

export const processes = {
  /** Ornstein-Uhlenbeck, on the Gaussian scale; its time is the angle acos e^-t. */
  ou: { cube: false, noise: true, reference: Math.PI / 2, flow: Math.PI / 2 },
  /** Straight lines reflected at the faces of the unit cube: Brownian motion at t^2. */
  reflection: { cube: true, noise: true, reference: 1.5, flow: null },
  /** The Jacobi process in the unit cube, at t^2; exp(-4 t^2) is 1e-4 where the paths of a flow end. */
  jacobi: { cube: true, noise: false, reference: 2.5, flow: 1.5 },
} as const satisfies Record<Process, ProcessTraits>;

/** All of them. */
export const processNames = Object.keys(processes) as Process[];

export type FlowProcess = {
  [P in Process]: (typeof processes)[P]['flow'] extends number ? P : never;
}[Process];
export const flowProcesses = processNames.filter(
  (name): name is FlowProcess => processes[name].flow !== null,
);
