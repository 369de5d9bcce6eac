// Writes src/api/schema.ts from a server's OpenAPI document; with --check it
// only says whether the committed file is the one that the server would give.
//   node scripts/client.mjs [--check] [URL or FILE]      (otherwise api/openapi.json, which a Go test keeps fresh)
import { readFileSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';

const args = process.argv.slice(2);
const check = args.includes('--check');
const from = args.find((a) => !a.startsWith('--')) ?? new URL('../../openapi.json', import.meta.url);
const target = new URL('../src/api/schema.ts', import.meta.url);

const doc = /^https?:/.test(String(from)) ? await (await fetch(from)).json() : JSON.parse(readFileSync(from, 'utf8'));
delete doc.info.version; // moves with every build
delete doc.servers;
const text = `// Written by scripts/client.mjs from the server's OpenAPI document; not by hand.\n${astToString(await openapiTS(doc))}`;
if (!check) {
  writeFileSync(target, text);
} else if (readFileSync(target, 'utf8') !== text) {
  console.error('src/api/schema.ts is not what the server describes: start it and run `npm run client`');
  process.exit(1);
}
