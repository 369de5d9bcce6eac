// Takes a picture of every page in both themes at three widths, and has axe read
// each. For looking at, by eye:  node test/ui/look.mjs URL ADMIN_TOKEN OUT [page,...]
import { mkdirSync } from 'node:fs';
import { axe, client, person, settled, signIn } from './browser.mjs';
import { pages } from './pages.mjs';

const [url, token, out = 'look', only] = process.argv.slice(2);
const widths = (process.env.WIDTHS ?? '360,1280,2560').split(',').map(Number);
const themes = (process.env.THEMES ?? 'light,dark').split(',');
mkdirSync(out, { recursive: true });
const admin = client(url, token);
let findings = 0;
for (const theme of themes) {
  const p = await person({ theme });
  await signIn(p.page, url, admin, 'looker', 'admin');
  for (const [name, path] of await pages(admin)) {
    if (only && !only.split(',').includes(name)) continue;
    for (const width of widths) {
      await p.page.setViewportSize({ width, height: width === 360 ? 740 : width === 2560 ? 1300 : 860 });
      await p.page.goto(url + path);
      await settled(p.page).catch(() => console.log(`${name} ${width} ${theme}: did not settle`));
      await p.page.waitForTimeout(250);
      await p.page.screenshot({ path: `${out}/${name}-${width}-${theme}.png` });
      for (const f of await axe(p.page)) {
        findings++;
        console.log(`${name} ${width} ${theme}: ${f}`);
      }
      const wide = await p.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) console.log(`${name} ${width} ${theme}: the page is ${wide} px wider than the window`);
    }
  }
  for (const t of new Set(p.trouble)) console.log(`${theme}: ${t}`);
  await p.close();
}
console.log(`${findings} findings of axe`);
