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
    alert: alert && `/alerts/${alert}`,
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
