/// <reference lib="esnext.disposable" preserve="true" />

declare global {
  // Merges with the DOM's and Node's; a program that has neither makes no signal.
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type
  interface AbortSignal {}
}

export { type LastGoodState, SklarError, type SklarErrorCode } from './errors';
export {
  type DeviceName,
  type DeviceOptions,
  type Devices,
  type Precision,
  type RunRecord,
  devices,
} from './devices';

export { type Note } from './notes';
export { normalCdf, normalQuantile } from './normal';
export { type Matrix, column, fromRows, matrix, toRows } from './matrix';
export {
  type CensoredEnd,
  type Censoring,
  type ColumnKind,
  type ColumnType,
  type NumberStyle,
} from './data/columns/column-type';
export { type Cell } from './data/columns/column-of-values';
export { Table } from './data/table';
export {
  type ColumnRole,
  type InferOptions,
  type MissingIndicator,
  type MissingPattern,
  type MissingRule,
  type RestoreOptions,
  type SchemaColumn,
  TableSchema,
  missingRules,
} from './data/schema/table-schema';
export { type IdRule } from './data/schema/ids';
export { type Cycle } from './data/schema/cycles';
export { type DateSource, type Formula, type ValueGrid } from './data/schema/formula';
export { type DatePart } from './data/columns/days';
export { type Difference } from './data/schema/differences';
export {
  type EitherRule,
  type ImplicationRule,
  type OrderRule,
  type RangeRule,
  type Rule,
} from './data/schema/rules';
export { type ReadTableOptions, readTable } from './data/formats/read-table';
export { type BatchesOptions, TableReader } from './data/formats/table-reader';
export { TableWriter, type TableWriterOptions, writeTable } from './data/formats/write-table';
export {
  type ColumnInspection,
  type InspectOptions,
  type TableInspection,
  inspectTable,
} from './joint/inspect';
export { type RowCells, type ColumnRunOptions } from './data/column-jobs';
export { type LevelBlocks } from './data/level-blocks';
export { type SplitMethod, splitMethods, splitRows } from './data/split';
export { type ReturnOptions, type Returns, returnMethods, toReturns } from './data/returns';
export { type SerialDependence, serialDependence } from './data/serial-dependence';
export { type Seed } from './data/random';
export { type InverseOptions, type Ties, type TransformOptions } from './data/level-columns';
export { PseudoObservations, type PseudoObservationsOptions } from './data/pseudo-observations';

export { Margin, type MarginJson, type MarginSupport } from './margins/basis/margin';
export {
  type MarginOptions,
  type MarginSpec,
  type MarginType,
  fitMargin,
  marginFromJSON,
  marginTypes,
} from './margins/fit';
export { Margins, type MarginsOptions, type MarginsSpec, type TableMargins } from './margins/margins';

export {
  Copula,
  type CopulaEventOptions,
  type LogPdfOptions,
  type ModelInfo,
  type SampleOptions,
  type SamplerName,
  hasField,
} from './copulas/copula';
export {
  type Certificate,
  type CertificateOptions,
  type CertificateRoute,
  type CertificateStage,
  type FailedMargins,
  type FailedRoute,
  type MeasuredMargins,
  type MeasuredRoute,
  type ColumnUniformity,
  type MarginUniformity,
  type RouteDifference,
} from './copulas/judgement/certificate';
export { CdcCopula, type PublishedWeightsOptions } from './copulas/kinds/cdc';
export {
  type ConditionalMethod,
  type ConditionalOptions,
  type ConditionalSample,
  type ParticleOptions,
  conditionalMethods,
} from './copulas/fields/smc';
export {
  type EventOf,
  type EventOptions,
  type EventProbability,
  type EventSample,
} from './copulas/events/event';
export { type NormaliserEstimate, type NormaliserOptions } from './copulas/fields/normaliser';
export { EnsembleCopula } from './copulas/kinds/ensemble';
export { FlowCopula } from './copulas/kinds/flow';
export { PotentialCopula } from './copulas/kinds/potential';
export { ReflectionCopula } from './copulas/kinds/reflection';
export {
  type FieldDensityOptions,
  type LogPdfMethod,
  type TraceName,
  type TraceOptions,
  traceNames,
} from './copulas/fields/field-density';
export {
  type FlowOptions,
  type PotentialOptions,
  type ReflectionOptions,
  type TrainingOptions,
} from './copulas/inputs/options';
export { type CheckpointOptions } from './copulas/training/checkpoint';
export { type OnnxExport, type OnnxOptions, exportOnnx } from './onnx/export';
export { type TrainProgress } from './copulas/training/train';
export {
  type TrainEndEvent,
  type TrainEvent,
  type TrainLogOptions,
  type TrainStartEvent,
  type TrainStepEvent,
  type TrainValidationEvent,
} from './copulas/training/train-log';
export { GaussianCopula } from './copulas/classical/gaussian';
export {
  ClassicalCopula,
  type ClassicalTraining,
  type ScaleOptions,
  type TailDependence,
} from './copulas/classical/classical';
export {
  type ClassicalKind,
  type FamilyKind,
  type NonparametricKind,
  type Rotation,
  classicalKinds,
  parameterOfTau,
} from './copulas/classical/families';
export { EmpiricalBetaCopula } from './copulas/classical/empirical-beta';
export { FamilyCopula, type FamilyCopulaOptions } from './copulas/classical/family';
export { type ClassicalOptions } from './copulas/classical/fit';
export { KernelCopula, type KernelOptions } from './copulas/classical/kernel';
export { StudentCopula } from './copulas/classical/student';
export {
  ClosedFormCopula,
  type CosineParts,
  type FgmParts,
  type GaussianMixtureParts,
} from './copulas/kinds/closed-form';
export { type Process, processNames } from './processes';
export { type FitCopulaOptions } from './copulas/fitting/prepare';
export { fitCopula } from './copulas/fitting/fit';
export { type AutoOptions, type CandidateProgress, type FitAutoOptions } from './copulas/fitting/auto';
export { type FitCandidate } from './copulas/fitting/candidates';
export { type SelectedCandidate, type Selection } from './copulas/selection';
export {
  type CopulaKind,
  type CopulaKinds,
  type CopulaOf,
  type CopulaSpec,
  type OptionsOf,
  copulaKinds,
} from './copulas/fitting/kinds';
export { type BestFit, type FitBestOptions, type RankedCandidate, fitBest } from './copulas/fitting/best';
export { type FitEnsembleOptions, type EnsembleProgress, fitEnsemble } from './copulas/fitting/fit-ensemble';
export { type LoadOptions, loadModel } from './copulas/fitting/load';
export {
  type FitJointOptions,
  type JointCdf,
  type JointConditionalOptions,
  JointDistribution,
  type JointEventOptions,
  type JointLogPdfOptions,
  type JointSampleOptions,
  fitJoint,
  loadJoint,
} from './joint/joint';
export { type JointConditionalSample } from './joint/block-sample';
export { type EventRow } from './joint/event';
export { type CellRange } from './joint/fixed';
export { type ImputeOptions, type Imputation, type ImputedColumn, stackImputations } from './joint/impute';
export { type ImpossibleValues } from './joint/impossible';
export { type CdcOptions } from './copulas/inputs/options';
export {
  type ClockName,
  type GridName,
  type SolverName,
  type SolverOptions,
  solverNames,
} from './copulas/fields/solvers';
export { type IntegrationResult, type IntegrateOptions, integrate } from './copulas/fields/integrate';

export {
  type MeasureOptions,
  type MutualInformationOptions,
  type TailCurves,
  type TotalCorrelation,
  type TotalCorrelationOptions,
  blomqvist,
  kendall,
  mutualInformation,
  spearman,
  tailCurves,
  totalCorrelation,
} from './metrics/dependence';
export { type ImpossibleRows, type MeanOfRows, meanOf } from './mean';
export {
  type ClassifierAucOptions,
  type ColumnMetric,
  type EnergyDistanceOptions,
  type MarginMetric,
  type TwoSampleMetric,
  type MmdMetric,
  type MmdOptions,
  type PermutationOptions,
  type SlicedWassersteinOptions,
  classifierAuc,
  cramerVonMises,
  energyDistance,
  kolmogorovSmirnov,
  mmd,
  slicedWasserstein,
} from './metrics/two-sample';
export {
  type PairMetric,
  type TailMetric,
  type TailErrorOptions,
  kendallError,
  tailError,
} from './metrics/dependence-error';
export {
  type ClosestDistances,
  type ClosestRows,
  type CompareOptions,
  type Comparison,
  type MetricWithFloor,
  type MetricName,
  type MetricResults,
  compare,
  metricNames,
} from './metrics/compare';
export { closestRows } from './metrics/closest-rows';
export { type Weights, drawByWeight } from './data/weights';

export { type PairPlotOptions, pairPlot } from './report/charts/scatter';
export { type ChartOptions } from './report/charts/vega';
export { type HeatMapOptions, kendallHeatMap } from './report/charts/kendall';
export { type LossNumbers, lossPlot } from './report/charts/losses';
export { type AxisScale } from './report/charts/axis';
export { type MarginNumbers, type ShareNumbers, densityPlot, quantilePlot } from './report/charts/margins';
export { type ColumnNumbers } from './report/columns';
export { type BaselineNumbers, type DensityNumbers } from './report/density';
export { type TailNumbers, tailPlot } from './report/charts/tails';
export {
  type ReportNumbers,
  type ReportOptions,
  type ReportSection,
  type ReportStage,
  reportSections,
} from './report/numbers';
export { type Report, report } from './report/report';
export { type RowsInput, type Scale } from './copulas/inputs/rows';
export { type RunOptions } from './copulas/inputs/run';
export { type CopulaCapabilities } from './copulas/fields/capabilities';
export { type HasField } from './copulas/fields/field';
export { type FieldHandle } from './native';
