declare module 'node-gyp-build' {
  /** Loads the addon of the package in `root`: its prebuild for this platform, or its build folder. */
  function nodeGypBuild(root: string): unknown;
  export = nodeGypBuild;
}
