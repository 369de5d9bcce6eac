import { Button } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'wouter';
import { fetchIncidents, readAll, useIncidents, useMay, useMe, useStatus, type Incident } from '../api/queries';
import { CiLink, Priority, StateChip, Toggle } from '../components/bits';
import { FilterText, FilterToggle, terms } from '../components/Filter';
import { State } from '../components/State';
import { Table, type Column } from '../components/Table';
import { useKeys } from '../lib/keys';
import { useTitle } from '../lib/title';
import { Time } from '../lib/time';
import { useUrlState } from '../lib/url';
import { NewIncident } from './NewIncident';

export const incidentColumns: Column<Incident>[] = [
  { id: 'priority', label: 'Priority', width: 'fit', sort: 'priority', first: true, bare: true, cell: (i) => <Priority value={i.priority} />, text: (i) => i.priority },
  {
    id: 'title', label: 'Incident', width: 'lead', sort: 'title', bare: true,
    cell: (i) => (
      <span className="lead-line">
        <Link href={`/incidents/${i.id}`} className="primary" title={i.title}>
          {i.title}
        </Link>
        {i.merged_into && <span className="muted" title={`merged into ${i.merged_into}`}>→ <Link href={`/incidents/${i.merged_into}`}>{i.merged_into}</Link></span>}
        {i.seen_before && !i.merged_into && <> <span className="chip" title={`It repeats ${i.seen_before}${i.seen_before_mended ? `: ${i.seen_before_mended}` : ''}`}>seen before</span></>}
      </span>
    ),
    text: (i) => i.title,
  },
  { id: 'state', label: 'State', width: 'fit', sort: 'state', bare: true, cell: (i) => <StateChip state={i.acknowledged_at || i.state !== 'new' ? i.state : 'new'} reason={i.hold_reason} />, text: (i) => i.state },
  { id: 'age', label: 'Age', width: 'fit', sort: 'opened', align: 'end', bare: true, cell: (i) => <Time at={i.opened_at} mode="age" />, text: (i) => i.opened_at },
  {
    id: 'cause', label: 'Suspected cause', width: '15%',
    cell: (i) => (i.causes[0] ? <CiLink id={i.causes[0].ci} name={i.causes[0].name} /> : <span className="muted">not clear</span>),
    text: (i) => i.causes[0]?.name ?? '',
  },
  { id: 'ci', label: 'Affects', width: '13%', cell: (i) => <Affects i={i} />, text: (i) => (i.cis ?? []).map((c) => i.refs[c]?.name ?? c).join(' ') },
  { id: 'service', label: 'Service', width: '11%', cell: (i) => (i.services?.length ? <span className="lead-line with-end" title={i.services.map((s) => i.refs[s]?.name ?? s).join(', ')}><span className="clip">{i.refs[i.services[0]!]?.name ?? i.services[0]}</span>{i.services.length > 1 && <span className="muted">+{i.services.length - 1}</span>}</span> : null), text: (i) => (i.services ?? []).join(' ') },
  { id: 'alerts', label: 'Alerts', width: 'fit', align: 'end', sort: 'alerts', cell: (i) => <span title={`${i.active_alerts} of ${i.alerts} active`}>{i.active_alerts ? `${i.active_alerts}/${i.alerts}` : i.alerts}</span>, text: (i) => i.alerts },
  { id: 'assignee', label: 'Assignee', width: 'fit', sort: 'assignee', cell: (i) => i.assignee || i.team || null, text: (i) => i.assignee ?? i.team ?? '' },
  { id: 'id', label: 'ID', width: 'fit', optional: true, cell: (i) => <code>{i.id}</code>, text: (i) => i.id },
  { id: 'onset', label: 'Onset', width: 'fit', optional: true, cell: (i) => <Time at={i.onset} />, text: (i) => i.onset },
  { id: 'resolved', label: 'Resolved', width: 'fit', sort: 'resolved', optional: true, cell: (i) => (i.resolved_at ? <Time at={i.resolved_at} /> : null), text: (i) => i.resolved_at ?? '' },
  { id: 'seen', label: 'Seen before', width: 'fit', optional: true, cell: (i) => (i.seen_before ? <Link href={`/incidents/${i.seen_before}`}>{i.seen_before}</Link> : null), text: (i) => i.seen_before ?? '' },
  { id: 'problem', label: 'Problem', width: 'fit', optional: true, cell: (i) => (i.problem ? <Link href={`/problems/${i.problem}`}>{i.problem}</Link> : null), text: (i) => i.problem ?? '' },
];

function Affects({ i }: { i: Incident }) {
  const cis = i.cis ?? [];
  if (cis.length === 0) return <span className="muted">unknown</span>;
  return (
    <span className="lead-line with-end" title={cis.map((c) => i.refs[c]?.name ?? c).join(', ')}>
      <CiLink id={cis[0]!} name={i.refs[cis[0]!]?.name} />
      {cis.length > 1 && <span className="muted">+{cis.length - 1}</span>}
    </span>
  );
}

export default function Incidents() {
  const [params, set] = useUrlState();
  const me = useMe();
  const may = useMay('responder');
  const status = useStatus();
  const [creating, setCreating] = useState(params.get('new') === '1');
  const show = params.get('show') ?? 'open';
  useTitle('Now');
  useKeys({ c: may ? () => setCreating(true) : undefined });

  const q = terms(
    params.get('q'),
    params.get('unacked') && 'acknowledged:no',
    params.get('grave') && 'priority<=2',
    params.get('mine') && me.data && `assignee:"${me.data.name}"`,
    show === 'closed' && 'not state:open',
  );
  const list = { q, sort: params.get('sort') ?? (show === 'open' ? 'attention' : '-opened') };
  if (show === 'open' && list.sort !== 'attention') list.q = terms('state:open', q);
  const rows = useIncidents(list);
  const filtered = ['q', 'unacked', 'grave', 'mine'].some((k) => params.get(k));
  const silent = status.data?.alerts_received === 0;

  return (
    <div className="page fill">
      <div className="page-head">
        <h1 className="grow">{show === 'open' ? 'Now' : show === 'closed' ? 'Ended incidents' : 'All incidents'}</h1>
        {may && (
          <Button variant="default" onClick={() => setCreating(true)}>
            Open by hand<span className="btn-key">c</span>
          </Button>
        )}
      </div>
      <div className="filters">
        <FilterText placeholder='Filter: db1, priority<=2, service:shop, "disk full"' help='state:open priority<=2 ci:web1 service:shop cause:db1 opened<24h "free text"' />
        <div className="row" role="group" aria-label="Which incidents">
          {(['open', 'closed', 'all'] as const).map((s) => (
            <Toggle key={s} on={show === s} onClick={() => set({ show: s === 'open' ? null : s, sort: null })}>
              {s === 'open' ? 'Open' : s === 'closed' ? 'Ended' : 'All'}
            </Toggle>
          ))}
        </div>
        <div className="row" role="group" aria-label="Narrow down">
          <FilterToggle name="unacked">Unacknowledged</FilterToggle>
          <FilterToggle name="grave">P1 and P2</FilterToggle>
          <FilterToggle name="mine">Mine</FilterToggle>
        </div>
      </div>
      <Table
        name="incidents"
        label="Incidents"
        noun="incident"
        columns={incidentColumns}
        rows={rows}
        rowKey={(i) => i.id}
        href={(i) => `/incidents/${i.id}`}
        fresh={(i) => i.state === 'new' && !i.acknowledged_at}
        all={(progress) => readAll((cursor) => fetchIncidents({ ...list, limit: 1000, cursor }), progress)}
        empty={
          filtered ? (
            <State icon="search" title="No incident passes the filter" action={<Button variant="default" onClick={() => set({ q: null, unacked: null, grave: null, mine: null })}>Show all</Button>} />
          ) : silent ? (
            <State icon="start" title="Nothing has been heard yet" action={<Button component={Link} href="/start">First steps</Button>}>
              Watchbill waits for its first alert. Three short steps connect a machine and your Alertmanager.
            </State>
          ) : show === 'open' ? (
            <State icon="check" title="All clear" action={<Button variant="default" onClick={() => set({ show: 'closed' })}>Look at what ended</Button>}>
              No incident is open. {status.data ? `${status.data.alerts_firing} alerts fire, ${status.data.alerts_held} are held back for now.` : ''}
            </State>
          ) : (
            <State title="No incident yet" />
          )
        }
      />
      <NewIncident
        opened={creating}
        close={() => {
          setCreating(false);
          set({ new: null });
        }}
      />
    </div>
  );
}
