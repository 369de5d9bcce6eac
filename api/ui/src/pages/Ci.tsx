import { Button } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'wouter';
import { useAlerts, useCi, useGraph, useHistory, useImpact, useIncidents, useMay, useSection, type CiDetail as Doc, type HistoryEntry } from '../api/queries';
import { Card, CiLink, Labels, Meter } from '../components/bits';
import { Compare, EditCi, HealthTab, MergeCi, what } from '../components/CiCare';
import { FilterText } from '../components/Filter';
import { Failed, Loading, State } from '../components/State';
import { Table, type Column, type Rows } from '../components/Table';
import { Topology } from '../components/Topology';
import { grouped, label, show } from '../lib/attributes';
import { bytes, count } from '../lib/text';
import { Time } from '../lib/time';
import { useTitle } from '../lib/title';
import { useUrlState } from '../lib/url';
import { alertColumns } from './Alerts';
import { incidentColumns } from './Incidents';
import { useKeys } from '../lib/keys';
import { Liveness } from './Inventory';
import { Plan } from './Plan';

/** What others are composed of, and whose health is theirs. */
const business = new Set(['service', 'application', 'business_service']);

/** A host's tabs beyond the facts, by the report's section. */
const sections: [string, string][] = [
  ['packages', 'Packages'],
  ['services', 'Units'],
  ['listeners', 'Listeners'],
  ['connections', 'Connections'],
  ['containers', 'Containers'],
  ['disks', 'Disks'],
  ['interfaces', 'Network'],
  ['certificates', 'Certificates'],
  ['users', 'Users'],
];

export default function Ci({ id, tab = 'facts' }: { id: string; tab?: string }) {
  const q = useCi(id);
  const manager = useMay('manager');
  const responder = useMay('responder');
  const [dialog, setDialog] = useState<'edit' | 'merge' | 'plan'>();
  useKeys({ e: manager ? () => setDialog('edit') : undefined });
  useTitle(q.data?.name ?? id);
  if (q.error && !q.data) return <Failed page error={q.error} retry={() => void q.refetch()} />;
  if (!q.data) return <Loading />;
  const c = q.data;
  const has = new Set((c.sections ?? []).map((s) => s.name));
  const tabs: [string, string][] = [['facts', 'Facts'], ...(business.has(c.class) ? [['health', 'Health'] as [string, string]] : []), ['relations', 'Relations'], ...sections.filter(([s]) => has.has(s)), ['history', 'History'], ['compare', 'Compare'], ['incidents', 'Incidents'], ['alerts', 'Alerts']];
  const base = `/inventory/${encodeURIComponent(id)}`;
  const full = ['packages', 'services', 'listeners', 'connections', 'history', 'alerts', 'incidents', 'containers', 'disks', 'interfaces', 'certificates', 'users'].includes(tab);
  return (
    <div className={`page ${full ? 'fill' : ''}`}>
      <div className="headline">
        <h1>{c.name}</h1>
        <div className="actions">
          {manager && <Button variant="default" onClick={() => setDialog('edit')} aria-keyshortcuts="e">Edit<span className="btn-key" aria-hidden="true">e</span></Button>}
          {manager && <Button variant="default" onClick={() => setDialog('merge')}>Merge</Button>}
          {responder && <Button variant="default" onClick={() => setDialog('plan')}>Plan maintenance</Button>}
          {(c.class === 'host' || business.has(c.class)) && <Button component="a" variant="default" href={`/api/v1/cis/${encodeURIComponent(id)}/sbom`} download={`${c.name}.cdx.json`} title="Its software bill, CycloneDX 1.6">SBOM</Button>}
        </div>
      </div>
      <div className="meta">
        <span className="chip">{c.class.replaceAll('_', ' ')}</span>
        <Liveness ci={c} />
        {c.merged_into && <span>merged into <CiLink id={c.merged_into} /></span>}
        {c.parent && <span>on <CiLink id={c.parent} name={c.parent_ref?.name} /></span>}
        <span>seen <Time at={c.last_seen} /></span>
        <span>first seen <Time at={c.first_seen} /></span>
        <span title={c.incomplete?.length ? `missing: ${c.incomplete.join(', ')}` : undefined}>complete <Meter value={c.completeness} /></span>
        {c.aliases?.length ? <span>also known as {c.aliases.join(', ')}</span> : null}
      </div>
      <nav className="tabs" aria-label="Parts of this item">
        {tabs.map(([t, name]) => (
          <Link key={t} href={t === 'facts' ? base : `${base}/${t}`} aria-current={t === tab ? 'page' : undefined}>
            {name}
          </Link>
        ))}
      </nav>
      <SectionProblems c={c} tab={tab} />
      {tab === 'facts' && <Facts c={c} />}
      {tab === 'relations' && <Relations c={c} />}
      {tab === 'health' && <HealthTab c={c} />}
      {tab === 'compare' && <Compare c={c} />}
      {tab === 'history' && <History id={id} />}
      {tab === 'incidents' && <Incidents c={c} />}
      {tab === 'alerts' && <Alerts c={c} />}
      {tab in sectionColumns && <Section id={id} section={tab} />}
      {dialog === 'edit' && <EditCi c={c} close={() => setDialog(undefined)} />}
      {dialog === 'merge' && <MergeCi c={c} close={() => setDialog(undefined)} />}
      {dialog === 'plan' && <Plan on={[{ id: c.id, name: c.name, class: c.class }]} close={() => setDialog(undefined)} />}
      {!tabs.some(([t]) => t === tab) && !(tab in sectionColumns) && <State icon="search" title="There is no such part" action={<Link href={base}>Its facts</Link>} />}
    </div>
  );
}

/** What the agent could not read, with the privilege that would mend it. */
function SectionProblems({ c, tab }: { c: Doc; tab: string }) {
  const here = (c.sections ?? []).filter((s) => (tab === 'facts' ? true : s.name === tab) && (s.problems?.length || s.rejected));
  if (here.length === 0) return null;
  return (
    <details className="note warn small">
      <summary>{tab === 'facts' ? `${count(here.length, 'section')} could not be read whole` : 'This could not be read whole'}</summary>
      <ul style={{ marginTop: 6 }}>
        {here.map((s) => (
          <li key={s.name}>
            <strong>{s.name}</strong>: {[...(s.problems ?? []).map((p) => p.reason + (p.privilege ? ` (needs ${p.privilege})` : '')), s.rejected && `the newest was refused: ${s.rejected}`].filter(Boolean).join('; ')}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Facts({ c }: { c: Doc }) {
  return (
    <div className="factsheet">
      {grouped(c.attributes ?? {}).map(([title, names]) => (
        <Card key={title} title={title} id={`facts-${title}`}>
          <dl className="facts">
            {names.map((n) => (
              <div key={n} style={{ display: 'contents' }}>
                <dt>{label(n)}</dt>
                <dd>
                  {n === 'boot_time' ? <Time at={String(c.attributes![n])} /> : show(n, c.attributes![n])}
                  {(c.claims?.[n]?.length ?? 0) > 1 && <span className="muted small" title={c.claims![n]!.map((x) => `${x.source}: ${show(n, x.value)}`).join('\n')}> · {c.claims![n]!.length} sources</span>}
                </dd>
              </div>
            ))}
          </dl>
        </Card>
      ))}
      <Card title="Record" id="facts-record">
        <dl className="facts">
          <dt>ID</dt>
          <dd><code>{c.id}</code></dd>
          <dt>Source</dt>
          <dd>{c.source}</dd>
          <dt>Labels</dt>
          <dd><Labels labels={c.labels} /></dd>
          <dt>Tags</dt>
          <dd>{c.tags?.join(', ') || <span className="muted">none</span>}</dd>
          {c.incomplete?.length ? <><dt>Missing</dt><dd>{c.incomplete.map(label).join(', ')}</dd></> : null}
        </dl>
      </Card>
    </div>
  );
}

function Relations({ c }: { c: Doc }) {
  const [params, set] = useUrlState();
  const hops = Math.min(4, Math.max(1, Number(params.get('hops') ?? 1)));
  const q = useGraph(c.id, hops);
  const impact = useImpact(c.id);
  if (q.error) return <Failed error={q.error} retry={() => void q.refetch()} />;
  if (!q.data) return <Loading />;
  const name = new Map(q.data.nodes.map((n) => [n.id, n]));
  const of = (id: string) => <CiLink id={id} name={name.get(id)?.name} />;
  const needs = q.data.edges.filter((e) => e.from === c.id);
  const needed = q.data.edges.filter((e) => e.to === c.id);
  const shown = { nodes: q.data.nodes.slice(0, 24), edges: q.data.edges };
  return (
    <div className="detail">
      <div>
        <Card
          title="Topology" id="topology" flush
          extra={
            <label className="row small">
              Steps{' '}
              <select className="inline" value={hops} onChange={(e) => set({ hops: e.target.value === '1' ? null : e.target.value })}>
                {[1, 2, 3, 4].map((n) => <option key={n}>{n}</option>)}
              </select>
            </label>
          }
        >
          {q.data.nodes.length < 2 ? (
            <State title="No relation known">Relations appear when agents see who talks to whom, or by import.</State>
          ) : (
            <>
              <div style={{ padding: 14 }}><Topology graph={shown} self={c.id} label={`Topology around ${c.name}`} /></div>
              <div className="legend">
                <span>What needs others stands above what it needs.</span>
                {(q.data.truncated || q.data.nodes.length > 24) && <span>Only the nearest {shown.nodes.length} are drawn.</span>}
              </div>
            </>
          )}
        </Card>
      </div>
      <div>
        <Card title={`Needs (${needs.length})`} id="needs">
          {needs.length === 0 ? <p className="muted">Nothing is known.</p> : <ul className="stack" style={{ gap: 6 }}>{needs.map((e) => <li key={e.type + e.to}><span className="muted">{e.type.replaceAll('_', ' ')}</span> {of(e.to)}</li>)}</ul>}
        </Card>
        <Card title={`Is needed by (${needed.length})`} id="needed">
          {needed.length === 0 ? <p className="muted">Nothing is known.</p> : <ul className="stack" style={{ gap: 6 }}>{needed.slice(0, 100).map((e) => <li key={e.type + e.from}>{of(e.from)} <span className="muted">{e.type.replaceAll('_', ' ')} it</span></li>)}</ul>}
        </Card>
        {impact.data && impact.data.total > 0 && (
          <Card title={`If it fails: ${count(impact.data.total, 'item')} affected`} id="impact">
            <p className="row" style={{ marginBottom: 8 }}>{Object.entries(impact.data.by_criticality).filter(([, n]) => n > 0).map(([k, n]) => <span key={k} className="chip">{n} {k || 'unrated'}</span>)}</p>
            <ul className="stack" style={{ gap: 6 }}>{impact.data.affected.slice(0, 12).map((n) => <li key={n.id}><CiLink id={n.id} name={n.name} /> <span className="muted small">{n.class.replaceAll('_', ' ')} · {count(n.hops, 'step')}</span></li>)}</ul>
          </Card>
        )}
      </div>
    </div>
  );
}

const historyColumns: Column<HistoryEntry>[] = [
  { id: 'at', label: 'When', width: 'fit', bare: true, cell: (h) => <Time at={h.at} mode="clock" />, text: (h) => h.at },
  { id: 'field', label: 'What', width: '24%', bare: true, cell: (h) => <strong>{what(h.field)}</strong>, text: (h) => h.field },
  {
    id: 'change', label: 'Change', width: 'lead', bare: true,
    cell: (h) => (
      <span className="diff-line">
        {h.old !== undefined && h.old !== null && <del>{value(h, h.old)}</del>} {h.old != null && h.new != null && '→'} {h.new !== undefined && h.new !== null && <ins>{value(h, h.new)}</ins>}
      </span>
    ),
    text: (h) => `${show(h.field, h.old)} → ${show(h.field, h.new)}`,
  },
  { id: 'source', label: 'Who says so', width: 'fit', cell: (h) => h.source, text: (h) => h.source },
];

/** A value of the history; the other end of a relation is a way to go. */
function value(h: HistoryEntry, v: unknown) {
  return h.field.startsWith('relation:') && typeof v === 'string' ? <CiLink id={v} /> : show(h.field, v);
}

function History({ id }: { id: string }) {
  const rows = useHistory(id);
  return <Table name="history" label="History" noun="change" columns={historyColumns} rows={rows} rowKey={(h) => h.id} empty={<State title="Nothing has changed yet" />} all={async () => rows.items} />;
}

function Incidents({ c }: { c: Doc }) {
  const rows = useIncidents({ q: `ci:"${c.id}"` });
  return <Table name="ci-incidents" label="Incidents of this item" noun="incident" columns={incidentColumns.map((x) => ({ ...x, sort: undefined }))} rows={rows} rowKey={(i) => i.id} href={(i) => `/incidents/${i.id}`} empty={<State icon="check" title="No incident has touched it" />} />;
}

function Alerts({ c }: { c: Doc }) {
  const rows = useAlerts({ q: `ci:"${c.id}"` });
  return <Table name="ci-alerts" label="Alerts on this item" noun="alert" columns={alertColumns.map((x) => ({ ...x, sort: undefined }))} rows={rows} rowKey={(a) => a.id} href={(a) => `/alerts/${a.id}`} empty={<State icon="check" title="No alert has named it" />} />;
}

type Row = Record<string, unknown>;
const col = (id: string, name: string, more: Partial<Column<Row>> = {}): Column<Row> => ({ id, label: name, width: 'fit', cell: (r) => (r[id] === undefined || r[id] === '' ? null : show(id, r[id])), text: (r) => r[id], ...more });
const sectionColumns: Record<string, Column<Row>[]> = {
  packages: [col('name', 'Package', { width: 'lead', bare: true, cell: (r) => <Link className="primary" href={`/software?q=${encodeURIComponent(String(r.name))}`}>{String(r.name)}</Link> }), col('version', 'Version', { width: '24%', bare: true }), col('type', 'Type', { bare: true, cell: (r) => <span className="chip">{String(r.type)}</span> }), col('arch', 'Arch'), col('source', 'Source', { width: '14%' }), col('location', 'Location', { width: '20%', optional: true }), col('vendor', 'Vendor', { width: '16%', optional: true }), col('size_kib', 'Size', { align: 'end', cell: (r) => (r.size_kib ? bytes(Number(r.size_kib) * 1024) : null) }), col('purl', 'purl', { optional: true, width: '24%' })],
  services: [col('name', 'Unit', { width: 'lead', bare: true }), col('description', 'Description', { width: '34%' }), col('state', 'State', { bare: true, cell: (r) => <span className={`chip ${r.state === 'failed' ? 'bad' : r.state === 'active' ? 'good' : ''}`}>{String(r.state)}{r.sub_state ? ` · ${String(r.sub_state)}` : ''}</span> }), col('enabled', 'Enabled'), col('kind', 'Kind'), col('schedule', 'Schedule', { width: '12%' })],
  listeners: [col('port', 'Port', { first: true, bare: true, align: 'end' }), col('process', 'Process', { width: 'lead', bare: true }), col('protocol', 'Protocol', { bare: true }), col('address', 'Address'), col('unit', 'Unit'), col('product', 'Product'), col('version', 'Version'), col('pid', 'PID', { align: 'end', cell: (r) => (r.pid ? String(r.pid) : null) })],
  connections: [col('direction', 'Direction', { first: true, bare: true, cell: (r) => <span className="chip">{String(r.direction)}</span> }), col('peer_address', 'Peer', { width: 'lead', bare: true, cell: (r) => <strong>{String(r.peer_address)}{r.peer_port ? `:${String(r.peer_port)}` : ''}</strong> }), col('protocol', 'Protocol'), col('local_address', 'Local', { cell: (r) => `${String(r.local_address)}${r.local_port ? `:${String(r.local_port)}` : ''}` }), col('process', 'Process'), col('unit', 'Unit'), col('count', 'Sockets', { align: 'end' }), col('evidence', 'Evidence', { optional: true }), col('first_seen', 'First seen', { cell: (r) => <Time at={String(r.first_seen)} /> }), col('last_seen', 'Last seen', { cell: (r) => <Time at={String(r.last_seen)} /> })],
  containers: [col('name', 'Container', { width: 'lead', bare: true, cell: (r) => String(r.name || r.id) }), col('image', 'Image', { width: '30%' }), col('runtime', 'Runtime'), col('state', 'State'), col('pod', 'Pod'), col('started_at', 'Started', { cell: (r) => <Time at={String(r.started_at)} /> })],
  disks: [col('name', 'Disk', { width: 'lead', bare: true }), col('model', 'Model'), col('vendor', 'Vendor'), col('serial', 'Serial'), col('kind', 'Kind'), col('size_bytes', 'Size', { align: 'end' })],
  interfaces: [col('name', 'Interface', { width: 'lead', bare: true }), col('kind', 'Kind'), col('addresses', 'Addresses', { width: '30%' }), col('mac', 'MAC'), col('state', 'State'), col('mtu', 'MTU', { align: 'end' }), col('speed_mbps', 'Mbit/s', { align: 'end' })],
  certificates: [col('subject', 'Subject', { width: 'lead', bare: true }), col('not_after', 'Valid until', { cell: (r) => <Time at={String(r.not_after)} /> }), col('issuer', 'Issuer', { width: '24%' }), col('dns_names', 'Names', { width: '20%' }), col('location', 'Where', { width: '18%' })],
  users: [col('name', 'User', { width: 'lead', bare: true }), col('uid', 'UID', { align: 'end', cell: (r) => String(r.uid) }), col('shell', 'Shell'), col('home', 'Home', { width: '20%' }), col('groups', 'Groups', { width: '26%' })],
};

function Section({ id, section }: { id: string; section: string }) {
  const [params] = useUrlState();
  const q = useSection<Row[]>(id, section);
  const filter = (params.get('q') ?? '').toLowerCase();
  const columns = sectionColumns[section]!;
  const key = params.get('sort') ?? '';
  const name = key.replace(/^-/, '');
  let items = (q.data ?? []).filter((r) => !filter || Object.values(r).some((v) => String(v).toLowerCase().includes(filter)));
  if (name) items = [...items].sort((a, b) => compare(a[name], b[name]) * (key.startsWith('-') ? -1 : 1));
  const rows: Rows<Row> = { items, loading: q.isPending, error: q.error, retry: () => void q.refetch() };
  return (
    <>
      <div className="filters"><FilterText placeholder="Filter these rows" /></div>
      <Table name={`section-${section}`} label={section} columns={columns.map((c) => ({ ...c, sort: c.id }))} rows={rows} rowKey={(r) => JSON.stringify(r)} empty={<State icon="search" title={filter ? 'Nothing passes the filter' : `The agent found no ${section}`} />} all={async () => items} />
    </>
  );
}

function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a ?? '').localeCompare(String(b ?? ''), undefined, { numeric: true });
}
