// Writes sbom.cdx.json, a bill of materials in CycloneDX: what `npm install` brings, and what is compiled into the addon. `npm pack`
// does so too; the file is not kept in the repository.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { isMain, npm, packageJson, root, runMain } from './tools.mjs';

const licence = (id) => [{ license: { id } }];

/** What an addon for Linux holds; npm knows nothing of it. Versions are those of the machine that compiles. */
const LINKED = [
  {
    name: 'libstdc++',
    licenses: [{ expression: 'GPL-3.0-or-later WITH GCC-exception-3.1' }],
    description: 'linked statically into prebuilt addons',
  },
  {
    name: 'CUDA runtime (cudart_static)',
    licenses: [
      { license: { name: 'NVIDIA CUDA Toolkit EULA', url: 'https://docs.nvidia.com/cuda/eula/index.html' } },
    ],
    description: 'linked statically into addons with CUDA, as attachment A of the EULA allows',
  },
  {
    name: 'node-addon-api',
    licenses: licence('MIT'),
    description: `headers compiled into the addon (${packageJson.devDependencies['node-addon-api']})`,
  },
  {
    name: 'node-api-headers',
    licenses: licence('MIT'),
    description: 'headers compiled into the addon',
  },
];

export function writeSbom() {
  const argv = [
    'sbom',
    '--sbom-format',
    'cyclonedx',
    '--sbom-type',
    'library',
    '--omit',
    'dev',
    '--package-lock-only',
  ];
  const text = npm(argv, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 1 << 26 });
  const document = JSON.parse(text);
  document.metadata.component.name = packageJson.name; // npm takes the folder's
  const linked = LINKED.map((part) => ({
    'bom-ref': `linked:${part.name}`,
    type: 'library',
    scope: 'required',
    ...part,
  }));
  document.components.push(...linked);
  document.dependencies
    .find(({ ref }) => ref === document.metadata.component['bom-ref'])
    .dependsOn.push(...linked.map((part) => part['bom-ref']));
  const file = path.join(root, 'sbom.cdx.json');
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`);
  return { file, components: document.components.length };
}

if (isMain(import.meta.url)) {
  await runMain(() => {
    const { file, components } = writeSbom();
    console.log(`wrote ${path.relative(root, file)}: ${components} components`);
  });
}
