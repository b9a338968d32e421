// What the machine code of a cubin does, without a disassembler: instructions of sm_70 and later have 16 bytes, the low 12
// bits of which say which one it is.

const HMMA = [0x23c];
const LDSM = [0x83b];
const SHARED_LOADS = [0x984];
const ASYNC_COPIES = [0xfae];
const GLOBAL = [0x981, 0x381, 0x986, 0x386];
const LOCAL = [0x983, 0x387, 0x987];
// F2F, F2FP and HADD2.F32 (from fp16), I2F, F2I
const CONVERSIONS = [0x304, 0x310, 0x23e, 0x230, 0x306, 0x312, 0x305, 0x311];
const BRANCH = 0x947;
const bitsOfAccess = [8, 8, 16, 16, 32, 64, 128, 128];

/** The code of each kernel of an ELF file, by mangled name. */
function codeOf(cubin, architecture) {
  const view = new DataView(cubin.buffer, cubin.byteOffset, cubin.byteLength);
  const table = Number(view.getBigUint64(0x28, true));
  const entry = view.getUint16(0x3a, true);
  const sections = Array.from({ length: view.getUint16(0x3c, true) }, (_, i) => {
    const at = table + i * entry;
    return {
      name: view.getUint32(at, true),
      offset: Number(view.getBigUint64(at + 0x18, true)),
      size: Number(view.getBigUint64(at + 0x20, true)),
    };
  });
  const names = sections[view.getUint16(0x3e, true)].offset;
  const kernels = new Map();
  for (const section of sections) {
    const start = names + section.name;
    const name = cubin.toString('latin1', start, cubin.indexOf(0, start));
    if (!name.startsWith('.text.')) continue;
    const code = [];
    for (let at = section.offset; at < section.offset + section.size; at += 16)
      code.push({ low: view.getBigUint64(at, true), high: view.getBigUint64(at + 8, true) });
    kernels.set(
      name.slice('.text.'.length),
      code.map((words, index) => decode(words, index, architecture)),
    );
  }
  return kernels;
}

function decode({ low, high }, index, architecture) {
  const code = Number(low & 0xfffn);
  // @!PT: there for the hardware's sake, and never done
  const done = Number((low >> 12n) & 0xfn) !== 0xf;
  const bits = bitsOfAccess[Number((high >> 9n) & 7n)];
  let target;
  if (code === BRANCH) {
    // a distance in units of 4 bytes: 48 bits from bit 34 on; from sm_90 on their lowest 8 from bit 16 on
    const upper = BigInt.asIntN(48, (low >> 34n) | ((high & 0x3ffffn) << 30n));
    const distance = architecture < 90 ? upper : (upper << 8n) | ((low >> 16n) & 0xffn);
    target = index + 1 + Number(distance) / 4;
  }
  return { code, done, bits, target };
}

const count = (code, which) => code.filter((i) => i.done && which.includes(i.code)).length;

/** Innermost loops with products on the tensor cores. */
function mainLoops(code) {
  const loops = [];
  for (const [end, { target }] of code.entries())
    if (target !== undefined && target < end && count(code.slice(target, end + 1), HMMA) > 0)
      loops.push([target, end]);
  return loops.filter(([a, b]) => !loops.some(([c, d]) => a <= c && d <= b && d - c < b - a));
}

/**
 * Counts of each kernel: local memory accesses; share of global accesses of 128 bits (in percent, asynchronous copies
 * included); of the main loops together the share of HMMA, conversions, scalar loads from shared memory, asynchronous copies.
 */
export function countMachineCode(cubin, architecture) {
  const counts = new Map();
  for (const [name, code] of codeOf(cubin, architecture)) {
    const accesses = code.filter((i) => i.done && (GLOBAL.includes(i.code) || ASYNC_COPIES.includes(i.code)));
    const wide = accesses.filter((i) => i.bits === 128).length;
    const loops = mainLoops(code).map(([from, to]) => code.slice(from, to + 1));
    counts.set(name, {
      instructions: code.length,
      local: count(code, LOCAL),
      accesses: accesses.length,
      wideAccesses: accesses.length ? (100 * wide) / accesses.length : 100,
      loops: loops.map((loop) => ({
        instructions: loop.length,
        hmma: count(loop, HMMA),
        share: (100 * count(loop, HMMA)) / loop.length,
        fragments: count(loop, LDSM),
        conversions: count(loop, CONVERSIONS),
        sharedLoads: count(loop, SHARED_LOADS),
        asyncCopies: count(loop, ASYNC_COPIES),
      })),
    });
  }
  return counts;
}
