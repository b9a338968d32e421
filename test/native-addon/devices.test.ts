import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';

const root = path.resolve(__dirname, '../..');
const addonFile = path.join(root, 'build', 'Release', 'sklar.node');

interface Devices {
  version: string;
  compiled: { cuda: boolean; cudaArchitectures: string[]; instructionSets: string[] };
  cpu: { name: string; cores: number; instructionSet: string };
  cuda: {
    usable: boolean;
    reason: string | null;
    driverVersion: number;
    runtimeVersion: number;
    devices: {
      name: string;
      computeCapability: string;
      memoryBytes: number;
      multiprocessors: number;
      usable: boolean;
      reason: string | null;
    }[];
  };
}

function devicesOf(environment: Record<string, string>): Devices {
  const script = `process.stdout.write(JSON.stringify(require(${JSON.stringify(addonFile)}).devices()))`;
  const text = execFileSync(process.execPath, ['-e', script], {
    env: { ...process.env, ...environment },
    encoding: 'utf8',
  });
  return JSON.parse(text) as Devices;
}

describe('devices() of the addon', () => {
  const devices = devicesOf({});

  test('names the version of package.json', () => {
    const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    expect(devices.version).toBe(version);
  });

  test('tells the processor and the instruction set in use', () => {
    expect(devices.cpu.name).not.toBe('');
    expect(devices.cpu.cores).toBeGreaterThanOrEqual(1);
    expect(devices.compiled.instructionSets[0]).toBe('baseline');
    expect(devices.compiled.instructionSets).toContain(devices.cpu.instructionSet);
  });

  test('tells why CUDA is not usable, or which devices are', () => {
    const { cuda, compiled } = devices;
    expect(cuda.usable).toBe(cuda.reason === null);
    expect(compiled.cuda).toBe(cuda.runtimeVersion > 0);
    expect(compiled.cudaArchitectures.length > 0).toBe(compiled.cuda);
    for (const { usable, reason } of cuda.devices) expect(usable).toBe(reason === null);
    expect(cuda.usable).toBe(cuda.devices.some(({ usable }) => usable));
    if (cuda.usable) {
      expect(cuda.devices[0]!.computeCapability).toMatch(/^\d+\.\d+$/);
      expect(cuda.devices[0]!.memoryBytes).toBeGreaterThan(0);
    } else {
      expect(cuda.reason).toMatch(/CUDA|driver|device|code/);
    }
  });

  test('hidden devices are no devices', () => {
    expect(devicesOf({ CUDA_VISIBLE_DEVICES: '' }).cuda.usable).toBe(false);
  });

  test('SKLAR_INSTRUCTION_SET lowers the instruction set and never raises it', () => {
    expect(devicesOf({ SKLAR_INSTRUCTION_SET: 'baseline' }).cpu.instructionSet).toBe('baseline');
    const raised = devicesOf({ SKLAR_INSTRUCTION_SET: 'avx512' }).cpu.instructionSet;
    expect(raised).toBe(devices.cpu.instructionSet);
  });
});

test('the addon loads in several threads at once and survives their end', async () => {
  const script = `
    const { parentPort } = require('node:worker_threads');
    parentPort.postMessage(require(${JSON.stringify(addonFile)}).devices().version);`;
  const versions = await Promise.all(
    Array.from(
      { length: 4 },
      () =>
        new Promise<string>((resolve, reject) => {
          const worker = new Worker(script, { eval: true });
          let version = '';
          worker.on('message', (message: string) => (version = message));
          worker.on('error', reject);
          worker.on('exit', () => resolve(version));
        }),
    ),
  );
  expect(new Set(versions).size).toBe(1);
  expect(versions[0]).toMatch(/^\d+\.\d+\.\d+/);
});

/** In /proc/self/maps once the only Worker that loads it has ended. */
function staysMapped(file: string): boolean {
  const script = `
    const { Worker } = require('node:worker_threads');
    const file = ${JSON.stringify(file)};
    const mapped = () => require('node:fs').readFileSync('/proc/self/maps', 'utf8').includes(file);
    if (mapped()) throw new Error('mapped before');
    const worker = new Worker('require(' + JSON.stringify(file) + ').devices()', { eval: true });
    worker.on('exit', () => process.stdout.write(String(mapped())));`;
  return execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }) === 'true';
}

const builds = [addonFile, ...prebuilds(path.join(root, 'prebuilds'))];

function prebuilds(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.startsWith(`${process.platform}-${process.arch}`) && name.endsWith('.node'))
    .map((name) => path.join(folder, name));
}

(process.platform === 'linux' ? test : test.skip).each(builds)(
  '%s stays where it is when the only Worker that loaded it has ended',
  (file) => {
    expect(staysMapped(file)).toBe(true);
  },
);
