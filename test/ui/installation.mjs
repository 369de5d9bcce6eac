// A whole installation for the stories: the built server and agent on loopback,
// with data in a directory that is thrown away, the topology of a recording
// imported and its alerts posted as an Alertmanager would, shifted to now.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { client } from './browser.mjs';

const root = new URL('../../', import.meta.url).pathname;
const bin = (name) => join(process.env.WATCHBILL_BIN ?? join(root, 'bin'), name);

const config = `# What is held waits seconds here, so that the stories need not wait minutes.
correlation:
  hold:
    critical: 1s
    error: 1s
    warning: 3s
    info: 3s
`;

function freePort() {
  return new Promise((resolve, reject) => {
    const s = createServer();
    s.once('error', reject);
    s.listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });
}

/** Waits until f answers something true. */
export async function until(what, f, timeout = 60_000) {
  const end = Date.now() + timeout;
  let last;
  for (;;) {
    try {
      const v = await f();
      if (v) return v;
    } catch (e) {
      last = e;
    }
    if (Date.now() > end) throw new Error(`waited ${timeout / 1000} s for ${what}${last ? `: ${last.message}` : ''}`);
    await new Promise((r) => setTimeout(r, 100));
  }
}

/** Starts an installation. The agent runs only when it is asked for. */
export async function installation() {
  for (const b of ['watchbill', 'watchbill-agent']) if (!existsSync(bin(b))) throw new Error(`${bin(b)} is missing: run \`make build\` first`);
  const dir = mkdtempSync(join(tmpdir(), 'watchbill-story-'));
  const token = 'story-admin-token-0123456789abcdef';
  const port = Number(process.env.PORT) || (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const configFile = join(dir, 'watchbill.yml');
  writeFileSync(configFile, config);
  const admin = client(url, token);
  const started = [];
  const run = (name, args) => {
    const p = spawn(bin(name), args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, WATCHBILL_ADMIN_TOKEN: token } });
    let log = '';
    for (const s of [p.stdout, p.stderr]) s.on('data', (b) => (log = (log + b).slice(-20_000)));
    const ended = new Promise((r) => p.once('exit', r));
    const one = { p, log: () => log, stop: async (signal = 'SIGTERM') => { if (p.exitCode === null) { p.kill(signal); await ended; } } };
    started.push(one);
    return one;
  };
  // Whatever ends this program, nothing of it stays behind.
  process.once('exit', () => started.forEach((s) => s.p.kill('SIGKILL')));
  const x = {
    url, token, admin, dir,
    server: undefined,
    /** Starts the server; also again after stop. */
    start: async () => {
      x.server = run('watchbill', ['server', '--config.file', configFile, '--web.listen-address', `127.0.0.1:${port}`, '--storage.path', join(dir, 'data')]);
      await until('the server', async () => {
        if (x.server.p.exitCode !== null) throw new Error(`the server ended: ${x.server.log()}`);
        return (await fetch(`${url}/-/ready`)).ok;
      });
    },
    agent: async () => {
      run('watchbill-agent', ['--server.url', url, '--token-file', join(dir, 'data/bootstrap/join-token'), '--state-dir', join(dir, 'agent')]);
      await until('the agent’s host', async () => (await admin('GET', `/api/v1/cis?q=${encodeURIComponent('class:host packages:*')}`)).items.length > 0);
    },
    /** Imports the items and relations of a recording. */
    topology: async (recording) => {
      const lines = read(recording).filter((l) => l.kind === 'ci' || l.kind === 'relation');
      const r = await fetch(`${url}/api/v1/import`, { method: 'POST', headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/x-ndjson' }, body: lines.map((l) => JSON.stringify(l)).join('\n') });
      if (!r.ok) throw new Error(`import: ${r.status} ${await r.text()}`);
    },
    /** Posts a recording's alerts in their order, moved so that the last comes now. */
    storm: async (recording, { most = Infinity, resolved = true } = {}) => {
      const bodies = read(recording).filter((l) => l.kind === 'alertmanager').slice(0, most);
      const shift = Date.now() - new Date(bodies.at(-1).at).getTime();
      const move = (t) => (t.startsWith('0001') ? t : new Date(new Date(t).getTime() + shift).toISOString());
      const secret = readFileSync(join(dir, 'data/bootstrap/alertmanager.yml'), 'utf8').match(/credentials:\s*"?([^\s"]+)/)[1];
      for (const { body } of bodies) {
        body.alerts = body.alerts.filter((a) => resolved || a.status === 'firing').map((a) => ({ ...a, startsAt: move(a.startsAt), endsAt: move(a.endsAt) }));
        if (body.alerts.length === 0) continue;
        const r = await fetch(`${url}/api/v1/ingest/alertmanager`, { method: 'POST', headers: { Authorization: `Bearer ${secret}`, 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
        if (!r.ok) throw new Error(`ingest: ${r.status} ${await r.text()}`);
      }
    },
    /** Joins a machine as its agent would. */
    enroll: async (request) => {
      const r = await fetch(`${url}/api/v1/agent/enroll`, { method: 'POST', headers: { Authorization: `Bearer ${readFileSync(join(dir, 'data/bootstrap/join-token'), 'utf8').trim()}`, 'Content-Type': 'application/json' }, body: JSON.stringify(request) });
      if (!r.ok) throw new Error(`enroll: ${r.status} ${await r.text()}`);
      return r.json();
    },
    /** Posts one firing alert as an Alertmanager would. */
    alert: async (labels, summary) => {
      const secret = readFileSync(join(dir, 'data/bootstrap/alertmanager.yml'), 'utf8').match(/credentials:\s*"?([^\s"]+)/)[1];
      const fingerprint = createHash('sha256').update(JSON.stringify(labels)).digest('hex').slice(0, 16);
      const body = {
        version: '4', status: 'firing', receiver: 'watchbill', groupKey: '{}', groupLabels: {}, commonLabels: {}, commonAnnotations: {}, externalURL: 'http://alertmanager.test', truncatedAlerts: 0,
        alerts: [{ status: 'firing', labels, annotations: { summary }, startsAt: new Date().toISOString(), endsAt: '0001-01-01T00:00:00Z', generatorURL: '', fingerprint }],
      };
      const r = await fetch(`${url}/api/v1/ingest/alertmanager`, { method: 'POST', headers: { Authorization: `Bearer ${secret}`, 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
      if (!r.ok) throw new Error(`ingest: ${r.status} ${await r.text()}`);
    },
    stop: async () => {
      for (const s of started.reverse()) await s.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return x;
}

/** A demonstration of a recording that is two days long: what came hours ago did come hours ago. */
export async function demonstration(recording) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const p = spawn(bin('watchbill'), ['demo', join(root, 'testdata/storms', `${recording}.jsonl.gz`), '--no-browser', '--web.listen-address', `127.0.0.1:${port}`], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const s of [p.stdout, p.stderr]) s.on('data', (b) => (log += b));
  const ended = new Promise((r) => p.once('exit', r));
  process.once('exit', () => p.kill('SIGKILL'));
  await until('the recording to be played', () => {
    if (p.exitCode !== null) throw new Error(`the demonstration ended: ${log}`);
    return /were played/.test(log);
  });
  const token = readFileSync(join(log.match(/(\/\S+)\/bootstrap\//)[1], 'bootstrap/admin-token'), 'utf8').trim();
  return {
    url,
    admin: client(url, token),
    stop: async () => {
      p.kill('SIGTERM');
      await ended;
    },
  };
}

function read(recording) {
  return gunzipSync(readFileSync(join(root, 'testdata/storms', `${recording}.jsonl.gz`)))
    .toString()
    .split('\n')
    .filter(Boolean)
    .map((l) => JSON.parse(l));
}

/** The storm of the stories: one root cause in a small estate. */
export const smoke = 'smoke';
