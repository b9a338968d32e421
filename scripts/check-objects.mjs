// Looks for inline functions that objects compiled for one instruction set share with other objects. The linker keeps one copy of such
// a function for the whole program; if it keeps the AVX-512 one, the baseline path dies on machines without AVX-512.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { buildFolder } from './build-native.mjs';
import { ScriptError, filesUnder, findProgram, root, runMain } from './tools.mjs';

const ISA_OBJECT = /_(avx2|avx512)\.cpp\.o$/;

await runMain(() => {
  const nm = findProgram('nm');
  if (nm === undefined) {
    console.error('nm is not here: object files were not checked');
    return;
  }
  const definers = new Map();
  const objects = filesUnder([path.relative(root, buildFolder('Release'))], (file) => file.endsWith('.o'));
  for (const file of objects) {
    const symbols = execFileSync(nm, ['-C', '--defined-only', file], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    for (const line of symbols.split('\n')) {
      const weakFunction = /^[0-9a-f]+ W (.+)$/.exec(line);
      if (weakFunction === null) continue;
      const name = weakFunction[1];
      definers.set(name, [...(definers.get(name) ?? []), path.basename(file)]);
    }
  }
  const shared = [...definers]
    .filter(([, files]) => files.length > 1 && files.some((file) => ISA_OBJECT.test(file)))
    .map(([name, files]) => `${name}  in ${files.join(', ')}`);
  if (shared.length > 0) {
    throw new ScriptError(
      `these must be forced inline, or internal to their file (static, unnamed namespace, or a namespace of the ` +
        `instruction set):\n  ${shared.join('\n  ')}`,
    );
  }
  const count = objects.filter((file) => ISA_OBJECT.test(file)).length;
  console.log(`${count} objects of one instruction set share no inline function with others`);
});
