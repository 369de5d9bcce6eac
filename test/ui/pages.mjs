// The pages that every look (screenshots, axe) goes through. Names of records
// come from the installation under test.
export async function pages(admin) {
  const first = async (path) => (await admin('GET', path).catch(() => ({ items: [] }))).items?.[0]?.id;
  const incident = (await first('/api/v1/incidents?sort=-alerts&limit=1')) ?? (await first('/api/v1/incidents?limit=1'));
  const problem = await first('/api/v1/problems?limit=1');
  const service = await first(`/api/v1/cis?limit=1&q=${encodeURIComponent('class:service')}`);
  const window = await first('/api/v1/maintenance?limit=1');
  const alert = await first('/api/v1/alerts?limit=1');
  const host = (await first(`/api/v1/cis?limit=1&q=${encodeURIComponent('class:host packages:*')}`)) ?? (await first(`/api/v1/cis?limit=1&q=${encodeURIComponent('class:host')}`));
  const ci = host && `/inventory/${encodeURIComponent(host)}`;
  return Object.entries({
    now: '/',
    ended: '/?show=closed',
    incident: incident && `/incidents/${incident}`,
    review: incident && `/incidents/${incident}/review`,
    alerts: '/alerts?show=all',
    'alerts-views': '/alerts?show=views',
    alert: alert && `/alerts/${alert}`,
    hygiene: '/hygiene?days=7',
    'hygiene-pairs': '/hygiene?show=together',
    teachings: '/teachings?all=1',
    sources: '/sources',
    inventory: '/inventory',
    items: '/inventory?class=all',
    host: ci,
    'host-packages': ci && `${ci}/packages`,
    'host-listeners': ci && `${ci}/listeners`,
    'host-connections': ci && `${ci}/connections`,
    'host-relations': ci && `${ci}/relations`,
    'host-history': ci && `${ci}/history`,
    'host-compare': ci && `${ci}/compare?at=2026-01-01T00:00:00Z`,
    service: service && `/inventory/${encodeURIComponent(service)}/health`,
    services: '/services',
    tasks: '/tasks?all=1',
    quality: '/quality',
    endings: '/endings?within=260w',
    maintenances: '/maintenance?show=all',
    maintenance: window && `/maintenance/${window}`,
    software: '/software',
    problems: '/problems?show=all',
    problem: problem && `/problems/${problem}`,
    kpis: '/kpis',
    tokens: '/tokens',
    audit: '/audit',
    start: '/start',
    nowhere: '/nowhere',
  }).filter(([, path]) => path);
}

// What opens over a page, and how: [name, path, act].
export async function dialogs(admin) {
  const i = await admin('POST', '/api/v1/incidents', { title: 'Of the dialogs', impact: 3, urgency: 3 });
  const p = await admin('POST', '/api/v1/problems', { title: 'Of the dialogs' });
  const ci = await admin('POST', '/api/v1/cis', { class: 'rack', name: 'of-the-dialogs' });
  const m = await admin('POST', '/api/v1/maintenance', { summary: 'Of the dialogs', cis: [ci.id], ends_at: new Date(Date.now() + 3600_000).toISOString() });
  const opened = (page) => page.getByRole('dialog').first().waitFor();
  const key = (k) => async (page) => {
    await page.keyboard.press(k);
    await opened(page);
  };
  const button = (name) => async (page) => {
    await page.getByRole('main').getByRole('button', { name, exact: true }).click();
    await opened(page);
  };
  const incident = (name, k) => [`incident: ${name}`, `/incidents/${i.id}`, key(k)];
  const problem = (name, k) => [`problem: ${name}`, `/problems/${p.id}`, key(k)];
  const item = `/inventory/${encodeURIComponent(ci.id)}`;
  return [
    ['keys', '/', key('?')],
    ['palette', '/', key('Control+k')],
    ['account', '/', async (page) => {
      await page.getByRole('button', { name: /^Account of/ }).first().click();
      await page.getByRole('menu').waitFor();
    }],
    ['columns', '/inventory', async (page) => {
      await page.getByRole('button', { name: 'Columns' }).click();
      await page.getByRole('menu').waitFor();
    }],
    ['completion', '/inventory', async (page) => {
      await page.keyboard.press('/');
      await page.keyboard.type('o');
      await page.getByRole('option').first().waitFor();
    }],
    ['new incident', '/', key('c')],
    ['new problem', '/problems', key('c')],
    incident('assign', 's'), incident('hold', 'h'), incident('resolve', 'r'), incident('merge', 'm'), incident('edit', 'e'), incident('major', 'M'), incident('cancel', 'x'),
    problem('assess', 'a'), problem('workaround', 'w'), problem('known error', 'k'), problem('version', 'b'), problem('link', 'i'),
    ['item: edit', item, key('e')],
    ['item: merge', item, button('Merge')],
    ['item: maintenance', item, button('Plan maintenance')],
    ['import', '/inventory', button('Import CSV')],
    ['edit all', '/inventory?class=all', button('Edit all')],
    ['service', '/services', button('Compose a service')],
    ['window', '/maintenance', key('c')],
    ['window: extend', `/maintenance/${m.id}`, key('t')],
    ['source', '/sources', button('Add a source')],
    ['token', '/tokens', button('New token')],
    ['person', '/tokens', button('Add a person')],
  ];
}
