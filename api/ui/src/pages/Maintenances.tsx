import { Button, Modal, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useMaintenances, useWindowAct, type Maintenance } from '../api/assets';
import { api, Fault, must } from '../api/client';
import { useMay } from '../api/queries';
import { Toggle } from '../components/bits';
import { CiPicker, type Picked } from '../components/CiPicker';
import { QueryField } from '../components/QueryField';
import { State } from '../components/State';
import { Table, type Column } from '../components/Table';
import { useKeys } from '../lib/keys';
import { duration, localInput, Time } from '../lib/time';
import { useTitle } from '../lib/title';
import { useUrlState } from '../lib/url';

const tone: Record<string, string> = { active: 'accent', planned: 'warn' };

export function WindowState({ m }: { m: Maintenance }) {
  return <span className={`chip ${tone[m.state] ?? ''}`}>{m.state}</span>;
}

/** What a window covers, in few words. */
export function covers(m: Maintenance): string {
  const parts = [...(m.services ?? []), ...(m.cis ?? []).map((c) => m.refs[c]?.name ?? c)];
  const shown = parts.slice(0, 3).join(', ');
  return parts.length > 3 ? `${shown} and ${parts.length - 3} more` : shown || m.query || '';
}

const columns: Column<Maintenance>[] = [
  { id: 'state', label: 'State', width: 'fit', first: true, bare: true, cell: (m) => <WindowState m={m} />, text: (m) => m.state },
  { id: 'summary', label: 'Window', width: 'lead', bare: true, cell: (m) => <Link className="primary" href={`/maintenance/${m.id}`}>{m.summary}</Link>, text: (m) => m.summary },
  { id: 'covers', label: 'Covers', width: '24%', cell: (m) => <span title={m.query}>{covers(m)}</span>, text: covers },
  { id: 'starts', label: 'From', width: 'fit', cell: (m) => <Time at={m.starts_at} mode="clock" />, text: (m) => m.starts_at },
  { id: 'ends', label: 'To', width: 'fit', cell: (m) => <Time at={m.ends_at} mode="clock" />, text: (m) => m.ends_at },
  { id: 'lasts', label: 'Lasts', width: 'fit', align: 'end', optional: true, cell: (m) => duration((+new Date(m.ends_at) - +new Date(m.starts_at)) / 1000), text: (m) => (+new Date(m.ends_at) - +new Date(m.starts_at)) / 1000 },
  { id: 'suppressed', label: 'Alerts kept quiet', width: 'fit', align: 'end', cell: (m) => m.suppressed || null, text: (m) => m.suppressed },
  { id: 'by', label: 'By', width: 'fit', cell: (m) => m.created_by, text: (m) => m.created_by },
  { id: 'id', label: 'ID', width: 'fit', optional: true, cell: (m) => <code>{m.id}</code>, text: (m) => m.id },
];

export default function Maintenances() {
  const [params, set] = useUrlState();
  const show = params.get('show') ?? 'open';
  const rows = useMaintenances(show === 'open');
  const may = useMay('responder');
  const [planning, setPlanning] = useState(params.get('new') === '1');
  useTitle('Maintenance');
  useKeys({ c: may ? () => setPlanning(true) : undefined });
  return (
    <div className="page fill">
      <div className="page-head">
        <h1 className="grow">Maintenance</h1>
        {may && <Button variant="default" onClick={() => setPlanning(true)}>Plan a window<span className="btn-key">c</span></Button>}
      </div>
      <div className="filters">
        <div className="row" role="group" aria-label="Which windows">
          <Toggle on={show === 'open'} onClick={() => set({ show: null })}>Planned and active</Toggle>
          <Toggle on={show === 'all'} onClick={() => set({ show: 'all' })}>All</Toggle>
        </div>
      </div>
      <Table
        name="maintenance" label="Maintenance windows" noun="window" columns={columns} rows={rows} rowKey={(m) => m.id} href={(m) => `/maintenance/${m.id}`} all={async () => rows.items}
        empty={
          <State icon="maintenance" title={show === 'open' ? 'No window is planned' : 'No window yet'} action={<>{may && <Button onClick={() => setPlanning(true)}>Plan a window</Button>}{show === 'open' && <Button variant="default" onClick={() => set({ show: 'all' })}>Show earlier ones</Button>}</>}>
            During a window, alerts about what it covers, and about what fails with it, open no incident. They are kept, with that fate.
          </State>
        }
      />
      {planning && <Plan close={() => { setPlanning(false); set({ new: null }); }} />}
    </div>
  );
}

/** Plans a window on items, or on what matches a query. */
export function Plan({ close, on = [] }: { close: () => void; on?: Picked[] }) {
  const [, go] = useLocation();
  const now = new Date();
  const [summary, setSummary] = useState('');
  const [from, setFrom] = useState(localInput(now));
  const [to, setTo] = useState(localInput(new Date(now.getTime() + 3600_000)));
  const [items, setItems] = useState<Picked[]>(on);
  const [query, setQuery] = useState('');
  const plan = useWindowAct(
    () => {
      const start = new Date(from);
      return must(api.POST('/api/v1/maintenance', {
        body: {
          summary, cis: items.length ? items.map((i) => i.id) : undefined, query: query.trim() || undefined,
          starts_at: start.getTime() > Date.now() ? start.toISOString() : undefined, ends_at: to ? new Date(to).toISOString() : '',
        },
      }));
    },
    (m) => { close(); go(`/maintenance/${m.id}`); },
  );
  const fault = plan.error ? Fault.of(plan.error) : undefined;
  const length = (+new Date(to) - +new Date(from)) / 1000;
  return (
    <Modal opened onClose={close} title="Plan a maintenance window" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); plan.mutate(undefined); }}>
        <TextInput label="What is done" required value={summary} onChange={(e) => setSummary(e.currentTarget.value)} error={fault?.fields.summary} data-autofocus />
        <div className="row" style={{ alignItems: 'start' }}>
          <TextInput type="datetime-local" label="From" required value={from} onChange={(e) => setFrom(e.currentTarget.value)} error={fault?.fields.starts_at} />
          <TextInput type="datetime-local" label="To" required value={to} onChange={(e) => setTo(e.currentTarget.value)} error={fault?.fields.ends_at} description={undefined} />
          <span className="muted small" style={{ alignSelf: 'end', paddingBottom: 6 }}>{length > 0 ? duration(length) : ''}</span>
        </div>
        <CiPicker label="Items and services that are worked on" value={items} onChange={setItems} error={fault?.fields.cis} />
        <QueryField field label="And all that match" value={query} onChange={setQuery} placeholder="class:host location:ams1" error={fault?.fields.query} />
        {fault && !['summary', 'starts_at', 'ends_at', 'cis', 'query'].some((f) => fault.fields[f]) && <p className="note bad" role="alert">{fault.message}</p>}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={close}>Back</Button>
          <Button type="submit" disabled={items.length === 0 && !query.trim()} loading={plan.isPending}>Plan it</Button>
        </div>
      </form>
    </Modal>
  );
}

