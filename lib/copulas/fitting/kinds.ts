/** The kinds of copulas: one object each, which fitting, loading, the command line and the guide go by. */
import { z } from 'zod';

import { type ModelDocument } from '../../model/model-file';
import { type ClassicalCopula } from '../classical/classical';
import {
  type EmpiricalBetaCopula,
  empiricalBetaFromFile,
  fitEmpiricalBeta,
} from '../classical/empirical-beta';
import {
  type ClassicalKind,
  type FamilyKind,
  capabilitiesOf,
  expectRotation,
  families,
  familyKinds,
} from '../classical/families';
import { type FamilyCopula } from '../classical/family';
import {
  type ClassicalOptions,
  type Resolved as ResolvedClassical,
  classicalOptions,
  classicalOptionsSchema,
} from '../classical/fit';
import { fitGaussian, fitStudent } from '../classical/fit-elliptical';
import { familyFromFile, fitFamily } from '../classical/fit-family';
import { type GaussianCopula, gaussianFromFile } from '../classical/gaussian';
import {
  type KernelCopula,
  type KernelOptions,
  fitKernel,
  kernelFromFile,
  kernelOptionsSchema,
} from '../classical/kernel';
import { type StudentCopula, studentFromFile } from '../classical/student';
import { type Copula, type ModelTensors } from '../copula';
import { type CopulaCapabilities, velocityCapabilities } from '../fields/capabilities';
import {
  type CdcOptions,
  type FlowOptions,
  type PotentialOptions,
  type ReflectionOptions,
  cdcOptionsSchema,
  flowOptionsSchema,
  parseOptions,
  potentialOptionsSchema,
  reflectionOptionsSchema,
} from '../inputs/options';
import { type DenseRows } from '../inputs/rows';
import { type Execution } from '../inputs/run';
import { type CdcCopula, cdcCapabilities, cdcFromFile, fitCdc } from '../kinds/cdc';
import { type FlowCopula, fitFlow, flowFromFile, resolveFlow } from '../kinds/flow';
import {
  type PotentialCopula,
  fitPotential,
  potentialCapabilities,
  potentialFromFile,
} from '../kinds/potential';
import { type ReflectionCopula, fitReflection, reflectionFromFile } from '../kinds/reflection';
import { trainWithMissing } from './own-draws';
import { type TrainRun, type TrainSettings } from '../training/train';

export type Fitter = (u: DenseRows, run: TrainRun) => Promise<Copula>;

interface Kind {
  /** What it learns, for the guide. */
  readonly learns: string;
  /** What its models can do; one model may have less (`Copula.capabilities`). */
  readonly capabilities: CopulaCapabilities;
  /** Options of `fitCopula` that belong to it. */
  readonly options: z.ZodObject;
  /** Checks them, and gives what fits it. @throws SklarError ERR_SKLAR_VALUE naming the option */
  readonly fitter: (options: object) => Fitter;
  /** @throws SklarError ERR_SKLAR_FORMAT */
  readonly load: (document: ModelDocument, tensors: ModelTensors) => Copula;
  /** A network learns it: models of other seeds are others, training tells its progress and has checkpoints. */
  readonly trained: boolean;
}

function trained<S extends z.ZodObject, R extends TrainSettings>(
  kind: string,
  learns: string,
  capabilities: CopulaCapabilities,
  options: S,
  fit: (u: DenseRows, options: R, run: TrainRun) => Promise<Copula>,
  load: Kind['load'],
  resolve: (options: z.output<S>) => R,
): Kind {
  const fitter = (given: object): Fitter => {
    const resolved = resolve(parseOptions(options, given, `a ${kind} copula`));
    return (u, run) => trainWithMissing(capabilities, fit, u, resolved, run);
  };
  return { learns, capabilities, options, fitter, load, trained: true };
}

type ClassicalFit<R> = (u: DenseRows, options: R, run: Execution) => Promise<ClassicalCopula>;

/** @param resolve checks the options, and gives what the fit takes */
function classical<R>(
  kind: ClassicalKind,
  learns: string,
  options: z.ZodObject,
  resolve: (given: object) => R,
  fit: ClassicalFit<R>,
  load: Kind['load'],
): Kind {
  const fitter = (given: object): Fitter => {
    const resolved = resolve(given);
    return (u, { device, precision, threads, signal }) =>
      fit(u, resolved, { device, precision, threads, signal });
  };
  return { learns, capabilities: capabilitiesOf(kind), options, fitter, load, trained: false };
}

/** A classical kind with parameters. */
function parametric(
  kind: ClassicalKind,
  learns: string,
  fit: ClassicalFit<ResolvedClassical>,
  load: Kind['load'],
): Kind {
  return classical(
    kind,
    learns,
    classicalOptionsSchema,
    (given) => classicalOptions(kind, given),
    (u, options, run) => {
      expectRotation(kind, options.rotation, u.columns);
      return fit(u, options, run);
    },
    load,
  );
}

const same = <T>(options: T) => options;

function parametersOf(kind: FamilyKind): string {
  const { parameters, manyColumns } = families[kind];
  const count = ['nothing', 'one parameter', 'two parameters', 'three parameters'][parameters.length]!;
  return manyColumns ? count : `${count}, of two columns`;
}

/** Of each kind of copula the options of its fit and what comes out. */
export interface CopulaKinds extends Record<FamilyKind, { options: ClassicalOptions; copula: FamilyCopula }> {
  cdc: { options: CdcOptions; copula: CdcCopula };
  flow: { options: FlowOptions; copula: FlowCopula };
  potential: { options: PotentialOptions; copula: PotentialCopula };
  reflection: { options: ReflectionOptions; copula: ReflectionCopula };
  gaussian: { options: ClassicalOptions; copula: GaussianCopula };
  student: { options: ClassicalOptions; copula: StudentCopula };
  'empirical-beta': { options: object; copula: EmpiricalBetaCopula };
  kernel: { options: KernelOptions; copula: KernelCopula };
}
/** A kind of copula that `fitCopula` knows; the guide has a table of them. */
export type CopulaKind = keyof CopulaKinds;
/** The options of the fit of a kind. */
export type OptionsOf<K extends CopulaKind> = CopulaKinds[K]['options'];
/** The class of a kind. */
export type CopulaOf<K extends CopulaKind> = CopulaKinds[K]['copula'];

export const kinds: Readonly<Record<CopulaKind, Kind>> = {
  cdc: trained(
    'cdc',
    'which noise level a row is at',
    cdcCapabilities,
    cdcOptionsSchema,
    fitCdc,
    cdcFromFile,
    same,
  ),
  flow: trained(
    'flow',
    'the velocity of paths from data to noise, on the Gaussian scale or in the unit cube',
    velocityCapabilities,
    flowOptionsSchema,
    fitFlow,
    flowFromFile,
    resolveFlow,
  ),
  reflection: trained(
    'reflection',
    'the mean velocity of straight lines reflected in the unit cube',
    velocityCapabilities,
    reflectionOptionsSchema,
    fitReflection,
    reflectionFromFile,
    same,
  ),
  potential: trained(
    'potential',
    'a log density up to a constant at every time, whose gradient is the field',
    potentialCapabilities,
    potentialOptionsSchema,
    fitPotential,
    potentialFromFile,
    same,
  ),
  gaussian: parametric('gaussian', 'a correlation matrix', fitGaussian, gaussianFromFile),
  student: parametric(
    'student',
    'a correlation matrix and the degrees of freedom',
    fitStudent,
    studentFromFile,
  ),
  ...(Object.fromEntries(
    familyKinds.map((kind) => [
      kind,
      parametric(
        kind,
        parametersOf(kind),
        (u, options, run) => fitFamily(kind, u, options, run),
        (document) => familyFromFile(kind, document),
      ),
    ]),
  ) as Record<FamilyKind, Kind>),
  'empirical-beta': classical(
    'empirical-beta',
    'the ranks of the rows',
    z.strictObject({}),
    (given) => parseOptions(z.strictObject({}), given, 'a empirical-beta copula'),
    (u, _, run) => fitEmpiricalBeta(u, run),
    empiricalBetaFromFile,
  ),
  kernel: classical(
    'kernel',
    'a smooth density of two columns',
    kernelOptionsSchema,
    (given) => parseOptions(kernelOptionsSchema, given, 'a kernel copula'),
    fitKernel,
    kernelFromFile,
  ),
};
/** All of them. */
export const copulaKinds = Object.keys(kinds) as CopulaKind[];

/** A kind with its options; `cdc` where none is named. */
export type CopulaSpec =
  | { readonly kind: CopulaKind }
  | ({ readonly kind?: 'cdc' } & CdcOptions)
  | { [K in Exclude<CopulaKind, 'cdc'>]: { readonly kind: K } & OptionsOf<K> }[Exclude<CopulaKind, 'cdc'>];

export function isCopulaKind(kind: string): kind is CopulaKind {
  return Object.hasOwn(kinds, kind);
}
