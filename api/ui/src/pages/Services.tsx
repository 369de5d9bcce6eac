import { Button, Modal, TextInput } from '@mantine/core';
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import { useAssetAct, useProposals, useServices, type Service } from '../api/assets';
import { api, Fault, must, type Schemas } from '../api/client';
import { useKpis, useMay } from '../api/queries';
import { Priority, Toggle } from '../components/bits';
import { CiPicker, type Picked } from '../components/CiPicker';
import { State } from '../components/State';
import { Table, type Column } from '../components/Table';
import { count } from '../lib/text';
import { daysAgo, duration } from '../lib/time';
import { useTitle } from '../lib/title';
import { useUrlState } from '../lib/url';

type Row = Service & { availability?: Schemas['Availability'] };
const tone: Record<string, string> = { ok: 'good', degraded: 'warn', down: 'bad' };
const order = ['down', 'degraded', 'ok'];
const weight = ['critical', 'high', 'medium', 'low', ''];

/** Where a service's own page is; one that only the configuration names has none. */
function href(s: Service): string {
  return s.id ? `/inventory/${encodeURIComponent(s.id)}/health` : `/?show=all&q=${encodeURIComponent(`service:"${s.name}"`)}`;
}

const columns: Column<Row>[] = [
  { id: 'state', label: 'State', width: 'fit', sort: 'state', first: true, bare: true, cell: (s) => <span className={`chip ${tone[s.state]}`}>{s.state}</span>, text: (s) => s.state },
  { id: 'name', label: 'Service', width: 'lead', sort: 'name', bare: true, cell: (s) => <Link className="primary" href={href(s)}>{s.name}</Link>, text: (s) => s.name },
  {
    id: 'incidents', label: 'Open incidents', width: '18%', sort: 'incidents',
    cell: (s) =>
      s.open_incidents === 0 ? null : (
        <span className="row" style={{ flexWrap: 'nowrap', gap: 6 }}>
          {s.priority ? <Priority value={s.priority} /> : null}
          <Link href={s.incidents.length === 1 ? `/incidents/${s.incidents[0]}` : `/?q=${encodeURIComponent(`service:"${s.name}"`)}`}>{s.open_incidents === 1 ? s.incidents[0] : s.open_incidents}</Link>
        </span>
      ),
    text: (s) => s.open_incidents,
  },
  { id: 'criticality', label: 'Criticality', width: 'fit', sort: 'criticality', cell: (s) => s.criticality || null, text: (s) => s.criticality },
  {
    id: 'availability', label: 'Available, 30 d', width: 'fit', align: 'end', sort: 'availability',
    cell: (s) => {
      const a = s.availability;
      if (a?.availability === undefined) return null;
      const goal = s.availability_objective;
      return (
        <span className={goal && a.availability < goal ? 'chip bad' : undefined} title={`${duration(a.downtime_seconds)} down in ${count(a.failures, 'failure')}${goal ? `; the objective is ${(goal * 100).toFixed(2)} %` : ''}`}>
          {(a.availability * 100).toFixed(3)} %
        </span>
      );
    },
    text: (s) => s.availability?.availability,
  },
  { id: 'objective', label: 'Objective', width: 'fit', align: 'end', cell: (s) => (s.availability_objective ? `${(s.availability_objective * 100).toFixed(2)} %` : null), text: (s) => s.availability_objective },
  { id: 'downtime', label: 'Down', width: 'fit', align: 'end', optional: true, cell: (s) => (s.availability ? duration(s.availability.downtime_seconds) : null), text: (s) => s.availability?.downtime_seconds },
  { id: 'mtbf', label: 'MTBF', width: 'fit', align: 'end', optional: true, cell: (s) => (s.availability?.mtbf_seconds === undefined ? null : duration(s.availability.mtbf_seconds)), text: (s) => s.availability?.mtbf_seconds },
  { id: 'owner', label: 'Owner', width: 'fit', cell: (s) => s.owner || null, text: (s) => s.owner },
  { id: 'team', label: 'Team', width: 'fit', sort: 'team', cell: (s) => s.team || null, text: (s) => s.team },
  { id: 'class', label: 'Class', width: 'fit', optional: true, cell: (s) => s.class?.replaceAll('_', ' ') || null, text: (s) => s.class },
];

const keys: Record<string, (s: Row) => string | number> = {
  state: (s) => order.indexOf(s.state),
  name: (s) => s.name,
  incidents: (s) => s.open_incidents,
  criticality: (s) => weight.indexOf(s.criticality ?? ''),
  availability: (s) => s.availability?.availability ?? 2,
  team: (s) => s.team ?? '',
};

export default function Services() {
  const [params, set] = useUrlState();
  const q = useServices();
  const kpis = useKpis(useMemo(() => daysAgo(30), []), 'service');
  const manager = useMay('manager');
  const [composing, setComposing] = useState<Partial<Schemas['Proposal']>>();
  useTitle('Services');
  const show = params.get('show') ?? 'all';
  const text = (params.get('q') ?? '').toLowerCase();
  const sort = params.get('sort') ?? 'state';
  const items = useMemo(() => {
    const by = new Map((kpis.data?.services ?? []).map((s) => [s.service, s]));
    const key = keys[sort.replace('-', '')] ?? keys.state!;
    const turn = sort.startsWith('-') ? -1 : 1;
    return (q.data?.items ?? [])
      .map((s): Row => ({ ...s, availability: by.get(s.name) }))
      .filter((s) => (show === 'all' || s.state !== 'ok') && (!text || `${s.name} ${s.owner ?? ''} ${s.team ?? ''} ${s.criticality ?? ''}`.toLowerCase().includes(text)))
      .sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        return turn * (typeof x === 'number' ? x - (y as number) : x.localeCompare(y as string)) || order.indexOf(a.state) - order.indexOf(b.state) || weight.indexOf(a.criticality ?? '') - weight.indexOf(b.criticality ?? '') || a.name.localeCompare(b.name);
      });
  }, [q.data, kpis.data, show, text, sort]);
  const bad = (q.data?.items ?? []).filter((s) => s.state !== 'ok').length;
  return (
    <div className="page fill">
      <div className="page-head">
        <h1 className="grow">Services</h1>
        {q.data && <span className="muted">{bad === 0 ? `all ${q.data.items.length} work` : `${bad} of ${q.data.items.length} in trouble`}</span>}
        {manager && <Button variant="default" onClick={() => setComposing({})}>Compose a service</Button>}
      </div>
      <div className="filters">
        <input className="plain-search" data-search aria-label="Filter" placeholder="Filter: a name, owner or team" value={params.get('q') ?? ''} onChange={(e) => set({ q: e.target.value })} onKeyDown={(e) => { if (e.key === 'Escape') { set({ q: null }); e.currentTarget.blur(); } }} />
        <div className="row" role="group" aria-label="Which services">
          <Toggle on={show === 'all'} onClick={() => set({ show: null })}>All</Toggle>
          <Toggle on={show === 'trouble'} onClick={() => set({ show: 'trouble' })}>In trouble</Toggle>
        </div>
      </div>
      {manager && <Proposals accept={setComposing} />}
      <Table
        name="services" label="Services" noun="service" columns={columns} order="state"
        rows={{ items, loading: q.isPending, error: q.error, retry: () => void q.refetch() }}
        rowKey={(s) => s.id ?? s.name} href={href} fresh={(s) => s.state === 'down'}
        all={async () => items}
        empty={
          text || show !== 'all' ? (
            <State icon={text ? 'search' : 'check'} title={text ? 'No service passes the filter' : 'No service is in trouble'} action={<Button variant="default" onClick={() => set({ q: null, show: null })}>Show all</Button>} />
          ) : (
            <State icon="service" title="No service yet" action={manager && <Button onClick={() => setComposing({})}>Compose a service</Button>}>
              Services come from agents that see what listens where, from imports and the configuration, or are composed of items by hand.
            </State>
          )
        }
      />
      {composing && <Compose from={composing} close={() => setComposing(undefined)} />}
    </div>
  );
}

/** What runs together and has no name yet. */
function Proposals({ accept }: { accept: (p: Schemas['Proposal']) => void }) {
  const q = useProposals(true);
  const items = q.data?.items ?? [];
  if (items.length === 0) return null;
  return (
    <details className="note small">
      <summary>{count(items.length, 'service')} could be composed of what runs together</summary>
      <ul className="stack" style={{ marginTop: 8 }}>
        {items.map((p) => (
          <li key={p.name} className="row" style={{ justifyContent: 'space-between' }}>
            <span className="wrap"><strong>{p.name}</strong>: {p.names.slice(0, 6).join(', ')}{p.names.length > 6 && ` and ${p.names.length - 6} more`} <span className="muted">· {p.why}</span></span>
            <Button size="compact-xs" variant="default" onClick={() => accept(p)}>Compose</Button>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Compose({ from, close }: { from: Partial<Schemas['Proposal']>; close: () => void }) {
  const [name, setName] = useState(from.name ?? '');
  const [owner, setOwner] = useState('');
  const [members, setMembers] = useState<Picked[]>((from.members ?? []).map((id, i) => ({ id, name: from.names?.[i] ?? id, class: '' })));
  const make = useAssetAct(() => must(api.POST('/api/v1/services', { body: { name, class: from.class || undefined, members: members.map((m) => m.id), attributes: owner ? { owner } : undefined } })), close);
  const fault = make.error ? Fault.of(make.error) : undefined;
  return (
    <Modal opened onClose={close} title="Compose a service" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); make.mutate(undefined); }}>
        <TextInput label="Name" required value={name} onChange={(e) => setName(e.currentTarget.value)} error={fault?.fields.name} data-autofocus />
        <CiPicker label="Items that it is composed of" value={members} onChange={setMembers} error={fault?.fields.members} />
        <TextInput label="Owner" value={owner} onChange={(e) => setOwner(e.currentTarget.value)} />
        {fault && <p className="note bad" role="alert">{fault.message}</p>}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={close}>Back</Button>
          <Button type="submit" disabled={members.length === 0} loading={make.isPending}>Compose</Button>
        </div>
      </form>
    </Modal>
  );
}
