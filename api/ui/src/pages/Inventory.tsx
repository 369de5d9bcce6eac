import { Button, Select } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'wouter';
import { fetchCis, readAll, useCis, useClasses, useMay, type Ci } from '../api/queries';
import { CiLink, Toggle } from '../components/bits';
import { FilterQuery, FilterToggle, terms } from '../components/Filter';
import { BulkDialog, ImportDialog, Views } from '../components/InventoryTools';
import { State } from '../components/State';
import { Table, type Column } from '../components/Table';
import { InventoryTabs } from '../components/Tabs';
import { show } from '../lib/attributes';
import { Time } from '../lib/time';
import { useTitle } from '../lib/title';
import { useUrlState } from '../lib/url';

const tone: Record<string, string> = { seen: 'good', stale: 'warn', gone: 'bad' };

export function Liveness({ ci }: { ci: { liveness?: string; missing_since?: string } }) {
  if (!ci.liveness) return null;
  return <span className={`chip ${tone[ci.liveness] ?? ''}`}>{ci.missing_since && ci.liveness === 'seen' ? 'missing' : ci.liveness}</span>;
}

const attribute = (name: string, label: string, more: Partial<Column<Ci>> = {}): Column<Ci> => ({
  id: name, label, width: 'fit', sort: name,
  cell: (c) => (c.attributes?.[name] === undefined ? null : <span title={show(name, c.attributes[name])}>{show(name, c.attributes[name])}</span>),
  text: (c) => c.attributes?.[name],
  ...more,
});

const columns: Column<Ci>[] = [
  { id: 'class', label: 'Class', width: 'fit', sort: 'class', bare: true, cell: (c) => <span className="chip">{c.class.replaceAll('_', ' ')}</span>, text: (c) => c.class },
  { id: 'name', label: 'Name', width: 'lead', sort: 'name', bare: true, cell: (c) => <span className="primary"><CiLink id={c.id} name={c.name} /></span>, text: (c) => c.name },
  attribute('addresses', 'Addresses', { width: '16%' }),
  attribute('os_name', 'System', { width: '14%' }),
  attribute('criticality', 'Criticality'),
  attribute('owner', 'Owner'),
  attribute('team', 'Team'),
  attribute('location', 'Location', { optional: true }),
  attribute('kernel', 'Kernel', { optional: true }),
  attribute('cpu_threads', 'CPUs', { optional: true, align: 'end' }),
  attribute('memory_bytes', 'Memory', { optional: true, align: 'end' }),
  attribute('virtualization', 'Virtualization', { optional: true }),
  attribute('product', 'Product', { optional: true }),
  attribute('version', 'Version', { optional: true }),
  attribute('serial_number', 'Serial', { optional: true }),
  attribute('lifecycle', 'Lifecycle', { optional: true }),
  attribute('environment', 'Environment', { optional: true }),
  { id: 'complete', label: 'Complete', width: 'fit', align: 'end', cell: (c) => <span title={c.incomplete?.length ? `missing: ${c.incomplete.join(', ')}` : 'every required field has a value'}>{Math.round(c.completeness * 100)} %</span>, text: (c) => c.completeness },
  { id: 'liveness', label: 'State', width: 'fit', bare: true, cell: (c) => <Liveness ci={c} />, text: (c) => c.liveness },
  { id: 'seen', label: 'Seen', width: 'fit', sort: 'seen', bare: true, cell: (c) => <Time at={c.last_seen} />, text: (c) => c.last_seen },
  { id: 'first_seen', label: 'First seen', width: 'fit', sort: 'first_seen', optional: true, cell: (c) => <Time at={c.first_seen} />, text: (c) => c.first_seen },
  { id: 'source', label: 'Source', width: 'fit', optional: true, cell: (c) => c.source, text: (c) => c.source },
  { id: 'tags', label: 'Tags', width: '10%', optional: true, cell: (c) => c.tags?.join(', ') || null, text: (c) => c.tags?.join(' ') ?? '' },
  { id: 'id', label: 'ID', width: 'fit', optional: true, cell: (c) => <code>{c.id}</code>, text: (c) => c.id },
];

export default function Inventory() {
  const [params, set] = useUrlState();
  const classes = useClasses();
  useTitle('Inventory');
  const cls = params.get('class') ?? 'host';
  const q = params.get('q');
  // A text with "or" in it must not swallow the other terms.
  const list = { q: terms(cls !== 'all' && `class:${cls}`, params.get('stale') && 'liveness:stale', q && (/\bor\b/i.test(q) ? `(${q})` : q)), sort: params.get('sort') ?? undefined };
  const rows = useCis(list, true, 60_000);
  const manager = useMay('manager');
  const [dialog, setDialog] = useState<'import' | 'edit'>();
  const others = (classes.data?.classes ?? []).map((c) => c.name).filter((n) => !quick.includes(n));
  return (
    <div className="page fill">
      <div className="page-head">
        <h1 className="grow">Inventory</h1>
        {rows.total !== undefined && <span className="muted">{rows.total.toLocaleString()} match</span>}
        <Views q={list.q ?? ''} />
        {manager && (
          <>
            <Button variant="default" disabled={!rows.total} onClick={() => setDialog('edit')}>Edit all</Button>
            <Button variant="default" onClick={() => setDialog('import')}>Import CSV</Button>
          </>
        )}
      </div>
      <InventoryTabs />
      <div className="filters">
        <FilterQuery placeholder="Filter: web1, os:debian, software:openssl<3.0.14, owner:*, seen<24h" help="class:host os:debian software:openssl<3.0.14 owner:team-a seen<24h not tag:lab; or and parentheses are there; FIELD:* means any value" />
        <div className="row" role="group" aria-label="Class">
          {quick.map((c) => (
            <Toggle key={c} on={cls === c} onClick={() => set({ class: c === 'host' ? null : c, sort: null })}>
              {c === 'all' ? 'All' : `${c.charAt(0).toUpperCase()}${c.slice(1)}s`}
            </Toggle>
          ))}
          {others.length > 0 && (
            <Select w={170} aria-label="Other classes" placeholder="Other classes" searchable data={others.map((n) => ({ value: n, label: n.replaceAll('_', ' ') }))} value={others.includes(cls) ? cls : null} onChange={(v) => v && set({ class: v, sort: null })} />
          )}
        </div>
        <FilterToggle name="stale">Stale</FilterToggle>
      </div>
      <Table
        name="inventory"
        label="Inventory"
        noun="item"
        columns={columns}
        rows={rows}
        rowKey={(c) => c.id}
        href={(c) => `/inventory/${encodeURIComponent(c.id)}`}
        order="name"
        all={(progress) => readAll((cursor) => fetchCis({ ...list, limit: 1000, cursor }), progress)}
        empty={
          q || params.get('stale') || cls !== 'host' ? (
            <State icon="search" title="Nothing passes the filter" action={<Button variant="default" onClick={() => set({ q: null, stale: null, class: null })}>Show all hosts</Button>} />
          ) : (
            <State icon="inventory" title="No host yet" action={<Button component={Link} href="/start">Connect the first</Button>}>
              Hosts appear by themselves when an agent runs on them. One command adds one.
            </State>
          )
        }
      />
      {dialog === 'import' && <ImportDialog close={() => setDialog(undefined)} />}
      {dialog === 'edit' && <BulkDialog q={list.q ?? 'name:*'} total={rows.total} close={() => setDialog(undefined)} />}
    </div>
  );
}

const quick = ['host', 'service', 'container', 'all'];
