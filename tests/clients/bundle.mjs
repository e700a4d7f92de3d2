/**
 * Bundles a module that uses the packed package: bundle.mjs TOOL ENTRY OUT, from a folder whose node_modules has it. TOOL is
 * esbuild, vite or webpack.
 */
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

const [tool, entry, out] = process.argv.slice(2);
const need = createRequire(resolve('x.js'));
const load = async (name) => {
  const made = need(name);
  return made.default ?? made;
};

const svelte = {
  name: 'svelte',
  setup(build) {
    build.onLoad({ filter: /\.svelte$/ }, async ({ path }) => {
      const { compile } = need('svelte/compiler');
      return { contents: compile(readFileSync(path, 'utf8'), { generate: 'client' }).js.code, loader: 'js' };
    });
  },
};
const define = { 'process.env.NODE_ENV': '"development"', __VUE_OPTIONS_API__: 'true', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' };

if (tool === 'esbuild') {
  const { build } = need('esbuild');
  await build({ entryPoints: [entry], outfile: out, bundle: true, format: 'iife', jsx: 'automatic', conditions: ['browser'], plugins: [svelte], define, logLevel: 'error' });
} else if (tool === 'vite') {
  const { build } = await import(need.resolve('vite').replace(/index\.cjs$/, 'dist/node/index.js'));
  const lib = { entry, formats: ['iife'], name: 'app', fileName: () => basename(out) };
  await build({ configFile: false, logLevel: 'error', define, build: { outDir: dirname(resolve(out)), emptyOutDir: false, lib } });
} else {
  const webpack = await load('webpack');
  const compiler = webpack({ mode: 'production', entry: resolve(entry), output: { path: dirname(resolve(out)), filename: basename(out) } });
  await new Promise((done, failed) => compiler.run((error, stats) => (error || stats.hasErrors() ? failed(error ?? new Error(stats.toString())) : done())));
}
