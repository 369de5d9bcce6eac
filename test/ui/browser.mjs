// What every browser test needs: Chromium with a fresh profile, people of each
// role signed in by one-time links, and a page that fails on what a reader's
// console would show (exceptions, refused resources, broken security policy).
import { createRequire } from 'node:module';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// The packages are those of the web app: one installation for both.
const require = createRequire(new URL('../../api/ui/package.json', import.meta.url));
const { chromium } = require('playwright-core');
export const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => existsSync(p));

/** Opens a browser of one person: a profile of its own that is thrown away by close(). */
export async function person({ width = 1280, height = 860, theme = 'light' } = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'watchbill-ui-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    chromiumSandbox: false,
    args: ['--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    viewport: { width, height },
    colorScheme: theme,
    reducedMotion: 'reduce',
    acceptDownloads: true,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const trouble = [];
  page.on('pageerror', (e) => trouble.push(`exception: ${e.message}`));
  page.on('console', (m) => {
    // A 401 before signing in, and refusals that a story provokes, are answers and no defects.
    if (m.type() === 'error' && !/status of (401|403|404|409|412|503)|ERR_(CONNECTION|INCOMPLETE|EMPTY|NETWORK)/.test(m.text())) trouble.push(`console: ${m.text()}`);
  });
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (e) => console.error(`content security policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`));
  });
  return {
    page,
    context,
    trouble,
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** A client of the API with a bearer token. */
export function client(url, token) {
  return async (method, path, body) => {
    const r = await fetch(url + path, { method, headers: { Authorization: `Bearer ${token}`, ...(body ? { 'Content-Type': 'application/json' } : {}) }, body: body && JSON.stringify(body) });
    const text = await r.text();
    if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text.slice(0, 300)}`);
    return text ? JSON.parse(text) : undefined;
  };
}

/** Makes the person if need be and signs the page in as them, by a one-time link. */
export async function signIn(page, url, admin, name, role) {
  await admin('POST', '/api/v1/users', { name, role }).catch((e) => {
    if (!/: 409 /.test(e.message)) throw e;
  });
  const link = await admin('POST', '/api/v1/login-links', { user: name });
  await page.goto(url + new URL(link.url).pathname);
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
}

/** Waits until the page has loaded what it shows. */
export async function settled(page) {
  await page.waitForFunction(() => !document.querySelector('.bones') && document.querySelector('main, .login'));
  await page.evaluate(() => document.fonts.ready);
}

/** axe's findings on the page as it stands, as lines; only of the named rules, if any. */
export async function axe(page, ...rules) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axeSource);
  const r = await page.evaluate((rules) => window.axe.run(document, { resultTypes: ['violations'], runOnly: rules.length ? rules : ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }), rules);
  return r.violations.map((v) => `${v.id} (${v.impact}): ${v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' — ' + (n.any[0]?.message ?? n.failureSummary ?? '')).join(' | ')}`);
}

/** axe's findings in both themes: the page is the same, so of the second only what colours decide. Leaves the light one. */
export async function axeInBothThemes(page) {
  const found = await axe(page);
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.locator('html[data-mantine-color-scheme="dark"]').waitFor();
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  for (const f of await axe(page, 'color-contrast', 'link-in-text-block')) found.push(`dark: ${f}`);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.locator('html[data-mantine-color-scheme="light"]').waitFor();
  return found;
}
