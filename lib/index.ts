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
export { type Matrix, column, fromRows, matrix, toRows } from './data/matrix';
export { type ColumnKind, Table } from './data/table';
export { type ReadTableOptions, readTable } from './data/read-table';
export { TableWriter, type TableWriterOptions, writeTable } from './data/write-table';
export { type Cells, type ColumnRunOptions, type LevelScale } from './data/column-jobs';
export { type LevelBlocks } from './data/level-blocks';
export { splitRows } from './data/split';
export { type Seed } from './data/random';
export { type Ties } from './data/level-columns';
export { PseudoObservations, type PseudoObservationsOptions } from './data/pseudo-observations';

export { Margin, type MarginJson, type Support } from './margins/margin';
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
  type LogPdfOptions,
  type ModelInfo,
  type Normalisable,
  type SampleOptions,
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
  certificate,
} from './copulas/certificate';
export { CdcCopula, type PublishedWeightsOptions } from './copulas/cdc';
export {
  type ConditionalMethod,
  type ConditionalOptions,
  type ConditionalSample,
  type Normaliser,
  type NormaliserOptions,
  type SmcRunOptions,
} from './copulas/smc';
export { EnsembleCopula } from './copulas/ensemble';
export { FlowCopula } from './copulas/flow';
export { ReflectionCopula } from './copulas/reflection';
export {
  type FieldDensityOptions,
  type LogPdfMethod,
  type TraceName,
  type TraceOptions,
  traceNames,
} from './copulas/field-density';
export { type FlowOptions, type ReflectionOptions } from './copulas/options';
export { type CheckpointOptions } from './copulas/checkpoint';
export { type TrainProgress } from './copulas/train';
export { GaussianCopula } from './copulas/gaussian';
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
export { FamilyCopula } from './copulas/classical/family';
export { type ClassicalOptions } from './copulas/classical/fit';
export { KernelCopula, type KernelOptions } from './copulas/classical/kernel';
export { StudentCopula } from './copulas/classical/student';
export {
  ClosedFormCopula,
  type CosineParts,
  type FgmParts,
  type GaussianMixtureParts,
  type Process,
} from './copulas/closed-form';
export { type CopulaKind, type FitOptions, fitCopula } from './copulas/fit';
export { type Best, type BestOptions, type Candidate, type Contender, fitBest } from './copulas/best';
export {
  type EnsembleFitOptions,
  type EnsembleKindOptions,
  type EnsembleProgress,
  fitEnsemble,
} from './copulas/fit-ensemble';
export { type LoadOptions, loadModel } from './copulas/load';
export {
  type CopulaSpec,
  type FitJointOptions,
  type JointCdf,
  type JointConditionalOptions,
  type JointConditionalSample,
  JointDistribution,
  type JointLogPdfOptions,
  type JointSampleOptions,
  fitJoint,
  loadJoint,
} from './joint/joint';
export { type BlockSample } from './joint/block-sample';
export { type CdcOptions } from './copulas/options';
export {
  type ClockName,
  type GridName,
  type SolverName,
  type SolverOptions,
  solverNames,
} from './copulas/solvers';
export { type Integrated, type IntegrateOptions, integrate } from './integrate';

export {
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
export { type ImpossibleRows, type Mean, meanOf } from './metrics/mean';
export {
  type ClassifierOptions,
  type ColumnMetric,
  type EnergyOptions,
  type MarginMetric,
  type Metric,
  type Mmd,
  type MmdOptions,
  type PairOptions,
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
  type TailError,
  type TailErrorOptions,
  kendallError,
  tailError,
} from './metrics/dependence-error';
export {
  type CompareOptions,
  type Comparison,
  type Judged,
  type MetricName,
  type MetricResults,
  compare,
  metricNames,
} from './metrics/compare';

export { type PairPlotOptions, pairPlot } from './report/scatter';
export { type ChartOptions } from './report/vega';
export { type HeatMapOptions, kendallHeatMap } from './report/kendall';
export { type LossNumbers, lossPlot } from './report/losses';
export { type MarginNumbers, densityPlot, quantilePlot } from './report/margins';
export { type TailNumbers, tailPlot } from './report/tails';
export {
  type ReportNumbers,
  type ReportOptions,
  type ReportSection,
  type ReportStage,
  reportSections,
} from './report/numbers';
export { type Report, report } from './report/report';
export { type RowsInput, type Scale } from './copulas/rows';
export { type RunOptions } from './copulas/run';
export { type HasField } from './copulas/field';
