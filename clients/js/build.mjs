// Builds dist/: one ES module, one script for pages without a bundler, and the types. A folder may be given in its place.

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const into = resolve(process.argv[2] ?? join(here, 'dist'));
const shared = {
  absWorkingDir: here,
  bundle: true,
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
  banner: { js: '// The client of Sophie. Built from clients/js/src by `make clients`: change it there. MIT OR Apache-2.0' },
};

rmSync(into, { recursive: true, force: true });
buildSync({ ...shared, entryPoints: ['src/index.ts'], format: 'esm', outfile: join(into, 'sophie.js') });
buildSync({ ...shared, entryPoints: ['src/global.ts'], format: 'iife', minify: true, outfile: join(into, 'sophie.global.js') });
const types = ['-p', here, '--declaration', '--emitDeclarationOnly', '--outDir', join(into, 'types')];
const made = spawnSync(process.execPath, [join(here, 'node_modules/typescript/bin/tsc'), ...types], { stdio: 'inherit' });
process.exit(made.status ?? 1);
