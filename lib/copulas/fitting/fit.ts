import { expectOneOf, expectOptions } from '../../errors';
import { type Copula } from '../copula';
import { type CdcOptions } from '../inputs/options';
import { type RowsInput } from '../inputs/rows';
import { type CdcCopula } from '../kinds/cdc';
import { type FitAutoOptions, autoOptions, defaultKind, fitAuto } from './auto';
import { type CopulaKind, type CopulaOf, type CopulaSpec, type OptionsOf, copulaKinds } from './kinds';
import { type FitCopulaOptions, expectFitOptions, fitKind, fitOptions } from './prepare';

/** What `auto` does not have. */
type OfOneKind = Omit<FitCopulaOptions & CdcOptions, keyof FitAutoOptions>;

/** One of these at least. */
type Some<T> = { [K in keyof T]-?: Required<Pick<T, K>> }[keyof T];

/**
 * Fits a copula to pseudo-observations; each class says by which formulas.
 *
 * @param u n x dim rows strictly between 0 and 1, for example from `PseudoObservations`; at least 2 columns and 8 rows
 * @param options `kind` (`cdc`, `flow`, `reflection`, `potential` or one of the classical kinds) and what belongs to it, see
 *   `CdcOptions`, `FlowOptions`, `ReflectionOptions`, `ClassicalOptions`, `KernelOptions`; or `auto`, which tries several and takes the best
 *   (`FitAutoOptions`, docs/mathematics.md N.7), whose `selection` says how they fared. Default `auto`, but `cdc` where options are given that belong to one kind
 * @throws SklarError ERR_SKLAR_VALUE or ERR_SKLAR_SHAPE for rows or options that do not fit, ERR_SKLAR_DEVICE,
 *   ERR_SKLAR_DIVERGED when the training loss stops being finite; the signal's reason when aborted
 *
 * @example
 * ```ts
 * import { FamilyCopula, PseudoObservations, Table, fitCopula } from 'sklar';
 *
 * const rows = await new FamilyCopula('gumbel', { theta: 2 }).sample(300);
 * const margins = await PseudoObservations.fit(Table.fromMatrix(rows));
 * const copula = await fitCopula(margins.transformTrain(), { kind: 'gumbel', margins });
 * copula.parameters.theta!; // about 2
 * copula.standardErrors?.theta; // beside it
 *
 * const candidates = [{ kind: 'independence' }, { kind: 'gaussian' }, { kind: 'gumbel' }] as const;
 * const best = await fitCopula(margins.transformTrain(), { kind: 'auto', candidates });
 * best.selection!.candidates.map(({ outcome }) => outcome); // => ['judged', 'judged', 'chosen']
 * ```
 */
export async function fitCopula<K extends CopulaKind>(
  u: RowsInput,
  options: { kind: K } & FitCopulaOptions & OptionsOf<NoInfer<K>>,
): Promise<CopulaOf<K>>;
export async function fitCopula(
  u: RowsInput,
  options: { kind?: undefined } & FitCopulaOptions & CdcOptions & Some<OfOneKind>,
): Promise<CdcCopula>;
export async function fitCopula(u: RowsInput, options?: { kind?: 'auto' } & FitAutoOptions): Promise<Copula>;
export async function fitCopula(u: RowsInput, options: CopulaSpec & FitCopulaOptions): Promise<Copula>;
export async function fitCopula(
  u: RowsInput,
  options: { kind?: CopulaKind | 'auto' | undefined } & object = {},
): Promise<Copula> {
  const { kind = defaultKind(options), ...own } = expectOptions(options, 'fitCopula', {
    ...options,
    kind: true,
  });
  if (expectOneOf(kind, 'kind', [...copulaKinds, 'auto'] as const) === 'auto') {
    return fitAuto(u, expectOptions(own, 'fitCopula', { ...fitOptions, ...autoOptions }));
  }
  return fitKind(u, expectFitOptions({ ...own, kind } as { kind: CopulaKind }, 'fitCopula'));
}
