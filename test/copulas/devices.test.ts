// Where a run takes place: the decision over made-up machines, and what every kind of work says to it on this one.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import {
  CdcCopula,
  ClosedFormCopula,
  type Devices,
  FamilyCopula,
  GaussianCopula,
  StudentCopula,
  devices,
  fitBest,
  fitCopula,
  integrate,
  kendall,
  loadModel,
  mutualInformation,
  totalCorrelation,
} from '../../lib';
import { describeFailure } from '../../lib/cli/terminal/failure';
import { Checkpoint } from '../../lib/copulas/training/checkpoint';
import { noiseTimes } from '../../lib/copulas/kinds/cdc';
import { kinds } from '../../lib/copulas/fitting/kinds';
import { type DeviceOptions, resolveDevice, runRecord } from '../../lib/devices';
import { readModelFile, writeModelFile } from '../../lib/model/model-file';
import {
  type NativeDevice,
  type TrainSnapshot,
  callNative,
  runJob,
  toSklarError,
  trainNumberNames,
} from '../../lib/native';
import { crossed } from '../helpers/data';

const REASON = 'no CUDA driver was found';

/** A machine with so many CUDA devices, or with these: why each cannot be used. */
function machine(devices: number | (string | null)[]): () => Devices {
  const reasons = typeof devices === 'number' ? Array<null>(devices).fill(null) : devices;
  const count = reasons.filter((reason) => reason === null).length;
  const gpu = { name: 'NVIDIA H200', computeCapability: '9.0', memoryBytes: 2 ** 37, multiprocessors: 132 };
  return () => ({
    version: '0.0.0',
    compiled: { cuda: true, cudaArchitectures: ['90-real'], instructionSets: ['baseline'] },
    cpu: { name: 'a processor', cores: 4, instructionSet: 'avx2' },
    cuda: {
      usable: count > 0,
      reason: count > 0 ? null : (reasons[0] ?? REASON),
      driverVersion: 0,
      runtimeVersion: 13_000,
      devices: reasons.map((reason) => ({ ...gpu, usable: reason === null, reason })),
    },
  });
}

/** What a call throws. */
function thrown(body: () => unknown): unknown {
  try {
    body();
  } catch (error) {
    return error;
  }
  throw new Error('expected an error');
}

describe('the choice of a device', () => {
  const float64 = 'its parameters are float64';

  test.each<[DeviceOptions, number, string | null, Partial<NativeDevice>]>([
    [{}, 0, null, { device: 'cpu', precision: 'fp32', threads: 0 }],
    [{}, 2, null, { device: 'cuda:0', precision: 'mixed' }],
    [{ device: 'auto' }, 1, float64, { device: 'cpu', precision: 'fp32' }],
    [{ device: 'auto', precision: 'bf16' }, 1, null, { device: 'cuda:0', precision: 'bf16' }],
    [{ device: 'auto', precision: 'fp32' }, 0, null, { device: 'cpu', precision: 'fp32' }],
    [{ device: 'cpu', threads: 3 }, 2, null, { device: 'cpu', precision: 'fp32', threads: 3 }],
    [{ device: 'cuda' }, 1, null, { device: 'cuda:0', precision: 'mixed' }],
    [{ device: 'cuda:1', precision: 'fp16' }, 2, null, { device: 'cuda:1', precision: 'fp16' }],
    [{ device: 'cuda', precision: 'fp32' }, 2, null, { device: 'cuda:0', precision: 'fp32' }],
  ])('%j on a machine with %d CUDA devices, %s', (options, count, cpuOnly, expected) => {
    const resolved = resolveDevice(options, cpuOnly, machine(count));
    expect(resolved).toMatchObject(expected);
    // and once more
    expect(resolveDevice(resolved, cpuOnly, machine(count))).toEqual(resolved);
  });

  test.each<[object, number, string | null, string, string[]]>([
    [{ device: 'cuda' }, 0, null, 'ERR_SKLAR_DEVICE', ['"cuda"', REASON]],
    [{ device: 'cuda:1' }, 0, null, 'ERR_SKLAR_DEVICE', ['"cuda:1"', REASON]],
    [{ device: 'cuda:7' }, 2, null, 'ERR_SKLAR_DEVICE', ['"cuda:7"', "'cuda:1'", 'are 2 CUDA devices']],
    [{ device: 'cuda:1' }, 1, null, 'ERR_SKLAR_DEVICE', ['"cuda:1"', 'is one CUDA device']],
    [{ device: 'cuda' }, 1, float64, 'ERR_SKLAR_DEVICE', ['"cuda"', float64]],
    [{ device: 'tpu' }, 1, null, 'ERR_SKLAR_VALUE', ['device', '"tpu"']],
    [{ device: 'cuda:' }, 1, null, 'ERR_SKLAR_VALUE', ['device', '"cuda:"']],
    [{ device: 'cuda:-1' }, 1, null, 'ERR_SKLAR_VALUE', ['device', '"cuda:-1"']],
    [{ device: 0 }, 1, null, 'ERR_SKLAR_VALUE', ['device', '0']],
    [{ precision: 'fp8' }, 1, null, 'ERR_SKLAR_VALUE', ['precision', '"fp8"']],
    [{ device: 'cpu', precision: 'mixed' }, 1, null, 'ERR_SKLAR_VALUE', ["'fp32'", '"mixed"', 'CPU']],
    [{ precision: 'fp16' }, 0, null, 'ERR_SKLAR_VALUE', ["'fp32'", '"fp16"', REASON]],
    [{ precision: 'fp16' }, 1, float64, 'ERR_SKLAR_VALUE', ["'fp32'", '"fp16"', float64]],
    [{ threads: -1 }, 1, null, 'ERR_SKLAR_VALUE', ['threads', '-1']],
  ])('%j on a machine with %d CUDA devices, %s: %s', (options, count, cpuOnly, code, culprits) => {
    const error = thrown(() => resolveDevice(options, cpuOnly, machine(count)));
    expect(error).toMatchObject({ code });
    for (const culprit of culprits) expect((error as Error).message).toContain(culprit);
  });

  test('each device is judged by itself', () => {
    const old = 'it is too old';
    const found = machine([old, null, 'it is lost', null]);
    expect(resolveDevice({}, null, found)).toMatchObject({ device: 'cuda:1' });
    expect(resolveDevice({ device: 'cuda:3' }, null, found)).toMatchObject({ device: 'cuda:3' });
    for (const [device, reason] of [
      ['cuda', old],
      ['cuda:0', old],
      ['cuda:2', 'it is lost'],
    ] as const) {
      expect((thrown(() => resolveDevice({ device }, null, found)) as Error).message).toBe(
        `expected "auto", "cpu", "cuda:1" or "cuda:3" for device, got "${device}": it cannot be used: ${reason}`,
      );
    }
    const none = machine([old, 'it is lost']);
    expect(resolveDevice({}, null, none)).toMatchObject({ device: 'cpu' });
    expect((thrown(() => resolveDevice({ device: 'cuda:1' }, null, none)) as Error).message).toContain(
      'CUDA cannot be used: it is lost',
    );
  });

  test('a record names processor or device, and the precision', () => {
    const found = machine(2);
    const run: NativeDevice = { device: 'cuda:1', precision: 'mixed', threads: 0 };
    expect(runRecord(run, 'float32', found)).toEqual({
      device: 'cuda:1',
      deviceName: 'NVIDIA H200',
      precision: 'mixed',
    });
    expect(runRecord({ ...run, device: 'cpu', precision: 'fp32' }, 'float64', found)).toEqual({
      device: 'cpu',
      deviceName: 'a processor',
      precision: 'fp64',
    });
  });
});

const network = { inputDim: 2, hiddenDim: 8, depth: 1, outputDim: 4, activation: 'silu' } as const;
const u = crossed(300, 0.9, 1);

/** A model that knows nothing. */
function cdcOf(Real: Float32ArrayConstructor | Float64ArrayConstructor): CdcCopula {
  const last = callNative((addon) => addon.cdcSlices(network)).at(-1)!;
  return CdcCopula.fromParts({
    network,
    times: noiseTimes(4, Infinity),
    cholesky: null,
    correlation: null,
    parameters: new Real(last.offset + last.rows),
    options: null,
    training: null,
  });
}

describe('what stays on the CPU', () => {
  const double = cdcOf(Float64Array);
  const gaussian = new GaussianCopula(Float64Array.of(1, 0.5, 0.5, 1), 2);
  const student = new StudentCopula(Float64Array.of(1, 0.5, 0.5, 1), 2, 4);
  const clayton = new FamilyCopula('clayton', { theta: 2 });
  const closed = ClosedFormCopula.fgm({ dim: 2, theta: 0.5 });
  const cuda = { device: 'cuda' } as const;

  test('says why, and is done there by auto', async () => {
    expect(cdcOf(Float32Array).capabilities.cpuOnly).toBeNull();
    for (const [copula, why] of [
      [double, 'float64'],
      [gaussian, 'gaussian'],
      [student, 'student'],
      [clayton, 'clayton'],
      [closed, 'closed-form'],
    ] as const) {
      expect(copula.capabilities.cpuOnly).toContain(why);
      expect(await copula.logPdf(u)).toEqual(await copula.logPdf(u, { device: 'cpu', precision: 'fp32' }));
    }
    expect(await integrate(closed, { rows: 10, steps: 4 })).toMatchObject({
      device: 'cpu',
      deviceName: devices().cpu.name,
      precision: 'fp64',
    });
  });

  test.each<[string, string, () => unknown]>([
    ['a float64 model', 'float64', () => double.logPdf(u, cuda)],
    ['its samples', 'float64', () => double.sample(10, cuda)],
    ['its field', 'float64', () => double.field(u, cuda)],
    ['its logits', 'float64', () => double.logits(u, cuda)],
    ['its log density at a level', 'float64', () => double.logPdfAtLevel(u, 1, cuda)],
    ['its transport', 'float64', () => double.transport(u, cuda)],
    ['its normaliser', 'float64', () => double.estimateNormaliser(cuda)],
    ['its conditional samples', 'float64', () => double.sampleConditional({ 0: 0.5 }, 10, cuda)],
    ['its certificate', 'float64', () => double.certify(u, cuda)],
    ['its integration', 'float64', () => integrate(double, { rows: 10, ...cuda })],
    ['its total correlation', 'float64', () => totalCorrelation(double, u, cuda)],
    ['a gaussian copula', 'gaussian', () => gaussian.sample(10, cuda)],
    ['a gaussian condition', 'gaussian', () => gaussian.sampleConditional({ 0: 0.5 }, 10, cuda)],
    ['a gaussian fit', 'gaussian', () => fitCopula(u, { kind: 'gaussian', ...cuda })],
    ['a student copula', 'student', () => student.sample(10, cuda)],
    ['a family', 'clayton', () => clayton.cdf(u, cuda)],
    ['its h-function', 'clayton', () => clayton.hfunc1(u, cuda)],
    ['its transform', 'clayton', () => clayton.rosenblatt(u, cuda)],
    ['its fit', 'clayton', () => fitCopula(u, { kind: 'clayton', ...cuda })],
    [
      'the best of classical copulas',
      'classical',
      () => fitBest(u, { candidates: [{ kind: 'frank' }], ...cuda }),
    ],
    ['a closed form', 'closed-form', () => closed.logPdf(u, cuda)],
    ['mutual information', 'gaussian', () => mutualInformation(gaussian, u, { a: [0], ...cuda })],
    ['ranks', 'ranks', () => kendall(u, cuda)],
  ])('on CUDA %s: refused', async (_what, why, run) => {
    await expect(Promise.resolve().then(run)).rejects.toMatchObject({
      code: 'ERR_SKLAR_DEVICE',
      message: expect.stringMatching(`"cuda": .*${why}`),
    });
  });

  test('a precision that the CPU has not is refused', async () => {
    await expect(double.logPdf(u, { precision: 'mixed' })).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringContaining('precision'),
    });
    await expect(fitCopula(u, { device: 'cpu', precision: 'fp16' })).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringContaining('precision'),
    });
  });
});

describe('the native side', () => {
  const handle = callNative((addon) =>
    addon.cdcCreate({
      network,
      times: noiseTimes(4, Infinity),
      cholesky: null,
      correlation: null,
      parameters: new Float64Array(cdcParameters()),
    }),
  );
  const score = (device: object) =>
    runJob((addon) => addon.cdcLogPdf(handle, Float64Array.of(0, 0), true, 1, 0, device as NativeDevice));

  function cdcParameters(): number {
    const last = callNative((addon) => addon.cdcSlices(network)).at(-1)!;
    return last.offset + last.rows;
  }

  test.each([
    [{ device: 'tpu', precision: 'fp32', threads: 0 }, 'tpu'],
    [{ device: 'cuda:x', precision: 'fp32', threads: 0 }, 'cuda:x'],
    [{ device: 'cuda:99999999999', precision: 'fp32', threads: 0 }, 'cuda:99999999999'],
    [{ device: 'cpu', precision: 'fp8', threads: 0 }, 'fp8'],
    [{ device: 'cpu', precision: 'fp32' }, 'threads'],
  ])('refuses %j', async (device, culprit) => {
    await expect(score(device)).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringContaining(culprit),
    });
  });

  test('computes float64 on the CPU only', async () => {
    await expect(score({ device: 'cuda:0', precision: 'fp32', threads: 0 })).rejects.toMatchObject({
      code: 'ERR_SKLAR_DEVICE',
      message: expect.stringContaining('float64'),
    });
  });

  test('a full device is a typed error with its message and an exit status', () => {
    const message = 'expected 2048 bytes on CUDA device 0, of which 1024 are free';
    const error = toSklarError(Object.assign(new Error(message), { code: 'ERR_SKLAR_MEMORY' }));
    expect(describeFailure(error, undefined)).toEqual({ code: 'ERR_SKLAR_MEMORY', message, status: 5 });
  });
});

describe('records', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'sklar-devices-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each(['cdc', 'flow', 'gaussian', 'student', 'frank', 'bb1', 'empirical-beta'] as const)(
    'a %s model says where it was trained',
    async (kind) => {
      const quick = !kinds[kind].trained ? {} : { hidden: 8, depth: 1, steps: 3, batch: 32 };
      const copula = await fitCopula(u, { kind, device: 'cpu', ...quick });
      const file = path.join(folder, `${kind}.safetensors`);
      await copula.save(file);
      for (const model of [copula, await loadModel(file)]) {
        expect(model.info().training).toMatchObject({
          device: 'cpu',
          deviceName: devices().cpu.name,
          precision: kinds[kind].trained ? 'fp32' : 'fp64',
        });
      }
    },
  );

  test('an integration says where it ran', async () => {
    expect(await integrate(cdcOf(Float32Array), { rows: 10, steps: 3, device: 'cpu' })).toMatchObject({
      device: 'cpu',
      precision: 'fp32',
    });
  });

  test('a checkpoint goes on where it was written only', async () => {
    const file = path.join(folder, 'run.checkpoint');
    const here = { fingerprint: 'this fit', place: 'NVIDIA H200', precision: 'mixed' };
    const limits = { steps: 20, warmup: 3, learningRate: 1e-3 };
    const empty = new Float32Array(0);
    const snapshot: TrainSnapshot = {
      numbers: {
        ...(Object.fromEntries(trainNumberNames.map((name) => [name, 0])) as TrainSnapshot['numbers']),
        ...{ step: 7, steps: 7, end: 20, bestStep: 5, warmup: 3, decaySteps: 20, saturated: 9, seconds: 1.5 },
        ...{ crossEntropySum: -2.5, bestValidation: NaN, peakRate: 1e-3, bestRate: 1e-3, finalFraction: 0.1 },
      },
      history: new Float64Array(0),
      tensors: {
        parameters: Float32Array.of(3),
        m: empty,
        v: empty,
        average: empty,
        best: empty,
        best_parameters: empty,
        best_m: empty,
        best_v: empty,
      },
    };
    const written = new Checkpoint(file, here);
    written.put(snapshot);
    await written.settle();
    expect(await new Checkpoint(file, here).read(limits)).toEqual(snapshot);
    const { document, tensors } = await readModelFile(file);
    const old = path.join(folder, 'old.checkpoint');
    await writeModelFile(old, {
      document: document!,
      tensors: new Map([...tensors].filter(([name]) => name !== 'numbers.saturated')),
    });
    await expect(new Checkpoint(old, here).read(limits)).rejects.toMatchObject({
      code: 'ERR_SKLAR_FORMAT',
      message: expect.stringContaining('"saturated"'),
    });
    for (const [other, name] of [
      [{ ...here, place: 'cpu', precision: 'fp32' }, 'on cpu in fp32, got one on NVIDIA H200 in mixed'],
      [{ ...here, precision: 'fp16' }, 'on NVIDIA H200 in fp16, got one on NVIDIA H200 in mixed'],
      [{ ...here, fingerprint: 'another' }, 'other rows, options, seed or version'],
    ] as const) {
      await expect(new Checkpoint(file, other).read(limits)).rejects.toMatchObject({
        code: 'ERR_SKLAR_VALUE',
        message: expect.stringContaining(name),
      });
    }
    // a file that is whole and signed, and whose numbers no run has
    const absurd = async (change: (bad: TrainSnapshot) => void, culprit: string) => {
      const bad = structuredClone(snapshot);
      change(bad);
      const absurdFile = path.join(folder, 'absurd.checkpoint');
      rmSync(absurdFile, { force: true });
      const signed = new Checkpoint(absurdFile, here);
      signed.put(bad);
      await signed.settle();
      await expect(signed.read(limits)).rejects.toMatchObject({
        code: 'ERR_SKLAR_FORMAT',
        message: expect.stringMatching(`"${culprit}".*absurd\\.checkpoint`),
      });
    };
    for (const name of trainNumberNames) {
      for (const value of [-Infinity, Infinity]) {
        await absurd(({ numbers }) => (numbers[name] = value), name);
      }
      if (/sum|validation/i.test(name)) continue;
      for (const value of [-1, NaN]) await absurd(({ numbers }) => (numbers[name] = value), name);
      if (!/seconds|fraction|rate$/i.test(name)) await absurd(({ numbers }) => (numbers[name] = 0.5), name);
      if (!/seconds/i.test(name)) await absurd(({ numbers }) => (numbers[name] = 1e300), name);
    }
    await absurd(({ tensors }) => (tensors.parameters[0] = NaN), 'parameters');
    for (const history of [
      Float64Array.of(1, 2),
      new Float64Array(8),
      Float64Array.of(8, 0, 0, 0, 0, 0, 0, 0),
    ]) {
      await absurd((bad) => (bad.history = history), 'history');
    }
  });
});
