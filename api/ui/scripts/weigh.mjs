// Weighs what a first visit loads (the entry, what it imports statically, its
// styles, the page) compressed, and fails above the budget: a page that grows
// past it is a regression that nobody would see otherwise.
// It also leaves a .gz and a .br beside each file, which the server sends to who takes them.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const budget = 350 * 1024;
const dist = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'));
const size = (file) => gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length;

const files = new Set(['index.html']);
const walk = (key) => {
  const chunk = manifest[key];
  if (!chunk || files.has(chunk.file)) return;
  files.add(chunk.file);
  for (const css of chunk.css ?? []) files.add(css);
  for (const next of chunk.imports ?? []) walk(next);
};
walk('index.html');
for (const f of readdirSync(new URL('assets/', dist))) {
  if (!/\.(js|css|svg)$/.test(f)) continue;
  const file = new URL(`assets/${f}`, dist);
  const raw = readFileSync(file);
  writeFileSync(`${file.pathname}.gz`, gzipSync(raw, { level: 9 }));
  writeFileSync(`${file.pathname}.br`, brotliCompressSync(raw));
}

// The heaviest page on top: a first visit opens one.
let heaviest = ['', 0];
for (const [key, chunk] of Object.entries(manifest)) {
  if (!chunk.isDynamicEntry) continue;
  const before = new Set(files);
  const own = new Set();
  const add = (k) => {
    const c = manifest[k];
    if (!c || before.has(c.file) || own.has(c.file)) return;
    own.add(c.file);
    for (const css of c.css ?? []) if (!before.has(css)) own.add(css);
    for (const next of c.imports ?? []) add(next);
  };
  add(key);
  const sum = [...own].reduce((n, f) => n + size(f), 0);
  if (sum > heaviest[1]) heaviest = [key, sum];
}
const shell = [...files].reduce((n, f) => n + size(f), 0);
const total = shell + heaviest[1];
console.log(`first load ${(total / 1024).toFixed(1)} KiB gzip (shell ${(shell / 1024).toFixed(1)}, heaviest page ${heaviest[0]} ${(heaviest[1] / 1024).toFixed(1)}), budget ${budget / 1024}`);
if (total > budget) {
  console.error('the first load is over its budget');
  process.exit(1);
}
