import { Button } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'wouter';
import { useMaintenances, type Maintenance } from '../api/assets';
import { useMay } from '../api/queries';
import { Toggle } from '../components/bits';
import { State } from '../components/State';
import { Table, type Column } from '../components/Table';
import { useKeys } from '../lib/keys';
import { duration, Time } from '../lib/time';
import { useTitle } from '../lib/title';
import { useUrlState } from '../lib/url';
import { Plan } from './Plan';

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
