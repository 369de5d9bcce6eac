// Measures the pages at 10,000 hosts and 10,000 incidents, and what the first
// visit weighs on the wire. Prints figures; it is no test.
//   node test/ui/measure.mjs
import { person, settled, signIn } from './browser.mjs';
import { installation, until } from './installation.mjs';

const n = Number(process.env.N ?? 10_000);
const x = await installation();
await x.start();
const hosts = Array.from({ length: n }, (_, i) => JSON.stringify({
  at: '2026-01-01T00:00:00Z', kind: 'ci',
  body: { class: 'host', name: `host-${String(i).padStart(5, '0')}`, attributes: { hostname: `host-${i}`, addresses: [`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`], os: 'debian', os_name: 'Debian GNU/Linux 12 (bookworm)', team: `team-${i % 20}`, owner: `owner-${i % 7}` } },
}));
const imported = await fetch(`${x.url}/api/v1/import`, { method: 'POST', headers: { Authorization: `Bearer ${x.token}`, 'Content-Type': 'application/x-ndjson' }, body: hosts.join('\n') });
if (!imported.ok) throw new Error(await imported.text());
let next = 0;
await Promise.all(Array.from({ length: 64 }, async () => {
  while (next < n) {
    const i = next++;
    await x.admin('POST', '/api/v1/incidents', { title: `Disk is filling on host-${i}`, impact: (i % 3) + 1, urgency: ((i >> 2) % 3) + 1 });
  }
}));
await until('the incidents', async () => (await x.admin('GET', '/api/v1/status')).open_incidents >= n);

const p = await person({ width: 1440, height: 900 });
const cdp = await p.context.newCDPSession(p.page);
await cdp.send('Network.enable');
let bytes = 0;
let requests = 0;
cdp.on('Network.loadingFinished', (e) => { bytes += e.encodedDataLength; requests++; });
await signIn(p.page, x.url, x.admin, 'measure', 'admin');
await settled(p.page);
await p.page.locator('tbody tr').nth(3).waitFor();
console.log(`first visit: ${(bytes / 1024).toFixed(0)} KiB on the wire in ${requests} requests, data included`);

const timed = async (what, path, ready) => {
  const times = [];
  for (let i = 0; i < 5; i++) {
    const t = performance.now();
    await p.page.goto(x.url + path, { waitUntil: 'commit' });
    await ready();
    times.push(performance.now() - t);
  }
  times.sort((a, b) => a - b);
  console.log(`${what}: median ${times[2].toFixed(0)} ms, slowest ${times[4].toFixed(0)} ms, from address to rows`);
};
const row = () => p.page.locator('tbody tr[data-index="5"]').waitFor();
await timed(`incidents, ${n} open`, '/', row);
await timed(`inventory, ${n} hosts`, '/inventory', row);
await timed('inventory, a filter', '/inventory?q=team:team-7', row);
await timed('an incident', `/incidents/${(await x.admin('GET', '/api/v1/incidents?limit=1')).items[0].id}`, () => p.page.getByRole('region', { name: 'Timeline' }).locator('li').first().waitFor());

// Scroll the whole inventory, page by page as a reader would, and look at the frames.
await p.page.goto(`${x.url}/inventory`);
await row();
const scrolled = await p.page.evaluate(async () => {
  const el = document.querySelector('.table-scroll');
  const frames = [];
  let last = performance.now();
  let idle = 0;
  while (idle < 120) {
    el.scrollTop += 700;
    await new Promise(requestAnimationFrame);
    const t = performance.now();
    frames.push(t - last);
    last = t;
    idle = el.scrollTop + el.clientHeight >= el.scrollHeight - 2 ? idle + 1 : 0;
  }
  frames.sort((a, b) => a - b);
  return { frames: frames.length, p50: frames[frames.length >> 1], p99: frames[Math.floor(frames.length * 0.99)], worst: frames.at(-1), rows: document.querySelectorAll('tbody tr').length, text: document.querySelector('.table-foot').innerText };
});
console.log(`scrolling all of it: ${scrolled.frames} frames, p50 ${scrolled.p50.toFixed(0)} ms, p99 ${scrolled.p99.toFixed(0)} ms, worst ${scrolled.worst.toFixed(0)} ms; ${scrolled.rows} rows in the page; "${scrolled.text.split('\n')[0]}"`);
for (const t of new Set(p.trouble)) console.log(t);
await p.close();
await x.stop();
