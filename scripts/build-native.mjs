// Builds build/<config>/sklar.node, for another architecture build/cmake/<config>-<arch>/sklar.node: the only caller of cmake-js.
//   node scripts/build-native.mjs [--config Release|Debug] [--cuda AUTO|ON|OFF|EMULATED] [--architectures LIST] [--jobs N]
//                                [--target sklar|cuda_tests|all] [--arch arm64]
// The environment variables SKLAR_CUDA, SKLAR_CUDA_ARCHITECTURES and SKLAR_JOBS set the same options.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import {
  ScriptError,
  cmakeJsScript,
  findCmake,
  findProgram,
  isMain,
  requireCompiler,
  root,
  run,
  runMain,
  toolsFolder,
} from './tools.mjs';

/**
 * Machine code for Turing, Ampere and Ada (both run that of 8.0), Hopper and Blackwell, and code that newer ones compile for
 * themselves: what two cores compile in ten minutes.
 */
export const RELEASE_ARCHITECTURES = '75-real;80;90-real;100-real;120-real';

/** The compute capabilities of the devices here as machine code, else Hopper's. */
function defaultArchitectures() {
  const query = findProgram('nvidia-smi');
  if (query !== undefined) {
    try {
      const text = execFileSync(query, ['--query-gpu=compute_cap', '--format=csv,noheader'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: 20_000,
      });
      const found = new Set(
        text.match(/^\d+\.\d+$/gm)?.map((capability) => `${capability.replace('.', '')}-real`),
      );
      if (found.size > 0) return [...found].sort().join(';');
    } catch {
      // a driver that does not answer is no device
    }
  }
  return '90-real';
}

/** Threads of one compiler run need about 1.5 GiB with sanitizers or CUDA, so memory bounds the jobs as well. */
function defaultJobs() {
  return Math.max(1, Math.min(os.availableParallelism(), Math.floor(os.totalmem() / 1.5e9)));
}

/** Two builds in one folder spoil each other (ninja does not lock), so the second waits. */
async function withLock(folder, work) {
  mkdirSync(path.dirname(folder), { recursive: true });
  const owner = path.join(folder, 'pid');
  for (let told = false; ; await sleep(200)) {
    try {
      mkdirSync(folder);
      writeFileSync(owner, String(process.pid));
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    let pid;
    try {
      pid = Number(readFileSync(owner, 'utf8'));
      process.kill(pid, 0);
    } catch (error) {
      const age = Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      // ESRCH: the owner died. ENOENT for long: it died between the two calls above.
      if (error.code === 'ESRCH' || (error.code === 'ENOENT' && age > 5000)) {
        rmSync(folder, { recursive: true, force: true });
      }
      continue;
    }
    if (!told) console.error(`another native build (process ${pid}) is running: waiting for it`);
    told = true;
  }
  try {
    return await work();
  } finally {
    rmSync(owner, { force: true });
    rmdirSync(folder);
  }
}

export const buildFolder = (config, arch = process.arch) =>
  path.join(root, 'build', 'cmake', arch === process.arch ? config : `${config}-${arch}`);

/** What CMake must be told to compile on Linux for another architecture; programs of it run under QEMU (for ctest). */
function crossOptions(arch) {
  if (arch === process.arch) return [];
  if (arch !== 'arm64' || process.platform !== 'linux') {
    throw new ScriptError(`expected --arch ${process.arch}, or arm64 on Linux, got ${arch}`);
  }
  const compiler = process.env.SKLAR_CROSS_CXX ?? 'aarch64-linux-gnu-g++';
  if (findProgram(compiler) === undefined) {
    throw new ScriptError(
      `${compiler} is not here, which compiles for arm64.\n  Debian or Ubuntu: sudo apt-get install g++-aarch64-linux-gnu qemu-user-static`,
    );
  }
  const emulator = ['qemu-aarch64-static', 'qemu-aarch64'].map((name) => findProgram(name)).find(Boolean);
  return [
    '--CDCMAKE_SYSTEM_NAME=Linux',
    '--CDCMAKE_SYSTEM_PROCESSOR=aarch64',
    `--CDCMAKE_CXX_COMPILER=${compiler}`,
    ...(emulator === undefined
      ? []
      : [`--CDCMAKE_CROSSCOMPILING_EMULATOR=${emulator};-L;/usr/aarch64-linux-gnu`]),
  ];
}

/** Builds one CMake target (`all` adds the native tests) and returns the addon's path. */
export async function buildNative({
  config = 'Release',
  cuda,
  architectures,
  jobs,
  target = 'sklar',
  arch = process.arch,
} = {}) {
  if (!['Release', 'Debug', 'RelWithDebInfo'].includes(config)) {
    throw new ScriptError(`expected Release, Debug or RelWithDebInfo for --config, got ${config}`);
  }
  const cross = crossOptions(arch);
  const wantedCuda = cross.length > 0 ? 'OFF' : (cuda ?? process.env.SKLAR_CUDA ?? 'AUTO').toUpperCase();
  if (!['AUTO', 'ON', 'OFF', 'EMULATED'].includes(wantedCuda)) {
    throw new ScriptError(`expected AUTO, ON, OFF or EMULATED for SKLAR_CUDA, got ${wantedCuda}`);
  }
  requireCompiler();
  const cmake = findCmake();
  const cmakeJsFile = cmakeJsScript();
  const folder = buildFolder(config, arch);
  const output = path.join(cross.length > 0 ? folder : path.join(root, 'build', config), 'sklar.node');
  const cudaOptions = {
    cuda: wantedCuda,
    architectures:
      wantedCuda === 'OFF'
        ? ''
        : (architectures ?? process.env.SKLAR_CUDA_ARCHITECTURES ?? defaultArchitectures()),
  };
  // Everything a configured folder can't take a change of.
  const options = {
    cmake,
    generator: findProgram('ninja') ? 'ninja' : 'make',
    nvcc: findProgram('nvcc', ['/usr/local/cuda/bin']) ?? '',
    compiler: `${process.env.CC ?? ''} ${process.env.CXX ?? ''} ${process.env.CUDACXX ?? ''}`,
    arch,
    root,
  };
  const cmakeJs = (command, ...rest) =>
    run(
      process.execPath,
      [
        cmakeJsFile,
        command,
        ...[
          '--directory',
          root,
          '--out',
          folder,
          '--config',
          config,
          '--cmake-path',
          cmake,
          '--log-level',
          'warn',
        ],
        `--CDSKLAR_NATIVE_TESTS=${existsSync(path.join(root, 'test', 'native')) ? 'ON' : 'OFF'}`,
        `--CDSKLAR_CUDA=${cudaOptions.cuda}`,
        ...(cudaOptions.architectures === ''
          ? []
          : [`--CDSKLAR_CUDA_ARCHITECTURES=${cudaOptions.architectures}`]),
        ...cross,
        ...rest,
      ],
      { env: { ...process.env, NODE_PATH: path.join(toolsFolder, 'node_modules') } },
    );

  await withLock(path.join(root, 'build', 'cmake', `${config}.lock`), () => {
    const record = path.join(folder, 'sklar-options.json');
    const before = existsSync(record) ? JSON.parse(readFileSync(record, 'utf8')) : {};
    if (!isDeepStrictEqual(before.options, options)) rmSync(folder, { recursive: true, force: true });
    if (!isDeepStrictEqual(before, { options, cudaOptions })) {
      cmakeJs('configure');
      writeFileSync(record, JSON.stringify({ options, cudaOptions }, null, 2));
    }
    cmakeJs(
      'build',
      '--target',
      target,
      '--parallel',
      String(jobs ?? process.env.SKLAR_JOBS ?? defaultJobs()),
    );
  });
  if (!existsSync(output)) throw new ScriptError(`the build ended without ${path.relative(root, output)}`);
  return output;
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    const { values } = parseArgs({
      options: {
        config: { type: 'string' },
        cuda: { type: 'string' },
        architectures: { type: 'string' },
        jobs: { type: 'string' },
        target: { type: 'string' },
        arch: { type: 'string' },
      },
    });
    const output = await buildNative(values);
    console.log(`built ${path.relative(process.cwd(), output)}`);
  });
}
