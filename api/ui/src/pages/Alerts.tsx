import { Button } from '@mantine/core';
import { Link } from 'wouter';
import { fetchAlerts, readAll, useAlerts, useStatus, type Alert } from '../api/queries';
import { CiLink, FateChip, Linked, Severity, StateChip, Toggle } from '../components/bits';
import { FilterText, terms } from '../components/Filter';
import { State } from '../components/State';
import { Table, type Column } from '../components/Table';
import { AlertTabs } from '../components/Tabs';
import { isView } from '../lib/replicas';
import { useTitle } from '../lib/title';
import { Time } from '../lib/time';
import { useUrlState } from '../lib/url';

export const alertColumns: Column<Alert>[] = [
  { id: 'severity', label: 'Severity', width: 'fit', sort: 'severity', first: true, bare: true, cell: (a) => <Severity value={a.severity} />, text: (a) => a.severity },
  {
    id: 'name', label: 'Alert', width: 'lead', sort: 'name', bare: true,
    cell: (a) => (
      <span className="lead-line">
        <Link href={`/alerts/${a.id}`} className="primary" title={a.name}>{a.name}</Link> <span className="muted">{a.annotations.summary}</span>
      </span>
    ),
    text: (a) => a.name,
  },
  { id: 'status', label: 'Status', width: 'fit', sort: 'status', bare: true, cell: (a) => <StateChip state={a.status} />, text: (a) => a.status },
  { id: 'ci', label: 'On', width: '12%', cell: (a) => (a.binding ? <CiLink id={a.binding.ci} name={a.binding.name} /> : <span className="muted">not bound</span>), text: (a) => a.binding?.name ?? '' },
  { id: 'fate', label: 'Fate', width: 'fit', sort: 'fate', bare: true, cell: (a) => <FateChip a={a} />, text: (a) => a.final_fate || a.fate },
  { id: 'why', label: 'Why', width: '18%', cell: (a) => <span title={a.final_why || a.why}><Linked text={a.final_why || a.why} /></span>, text: (a) => a.final_why || a.why },
  { id: 'incident', label: 'Incident', width: 'fit', cell: (a) => (a.incident ? <Link href={`/incidents/${a.incident}`}>{a.incident}</Link> : isView(a) && a.canonical !== a.id ? <span className="muted" title="The alert that stands for both">as <Link href={`/alerts/${a.canonical}`}>{a.canonical}</Link></span> : null), text: (a) => a.incident ?? '' },
  { id: 'started', label: 'Started', width: 'fit', sort: 'started', bare: true, cell: (a) => <Time at={a.starts_at} />, text: (a) => a.starts_at },
  { id: 'received', label: 'Received', width: 'fit', sort: 'received', optional: true, cell: (a) => <Time at={a.last_received} />, text: (a) => a.last_received },
  { id: 'receipts', label: 'Receipts', width: 'fit', align: 'end', optional: true, cell: (a) => a.receipts, text: (a) => a.receipts },
  { id: 'source', label: 'Source', width: 'fit', optional: true, cell: (a) => a.source, text: (a) => a.source },
  { id: 'canonical', label: 'Same alert as', width: 'fit', optional: true, cell: (a) => (a.canonical !== a.id ? <Link href={`/alerts/${a.canonical}`}>{a.canonical}</Link> : null), text: (a) => a.canonical },
  { id: 'fingerprint', label: 'Fingerprint', width: 'fit', optional: true, cell: (a) => <code>{a.fingerprint}</code>, text: (a) => a.fingerprint },
];

/** The choices: id, name, filter, and what it means where the name does not say it. */
const shows: [id: string, label: string, q: string, note?: string][] = [
  ['active', 'Active', 'status:active'],
  ['held', 'Held now', 'held:yes', 'Held alerts wait for company, or for their time to be over, before they open an incident. None is lost.'],
  ['unbound', 'Not bound', 'bound:no', 'No label of these alerts names an item of the inventory, so nothing is known of what they are about.'],
  ['suppressed', 'Suppressed', 'fate:suppressed', 'Explained by maintenance, a silence or a change: they opened nothing.'],
  ['views', 'Replicas’ views', 'fate:duplicate not final_fate:incident', 'Replicas of a Prometheus report the same alert each. As long as it is alone it counts once, as the alert that “Incident” names; the other views join when other alerts do.'],
  ['all', 'All', ''],
];

export default function Alerts() {
  const [params, set] = useUrlState();
  const status = useStatus();
  useTitle('Alerts');
  const show = params.get('show') ?? 'active';
  const chosen = shows.find(([id]) => id === show);
  const list = { q: terms(params.get('q'), chosen?.[2]), sort: params.get('sort') ?? undefined };
  const rows = useAlerts(list);
  const s = status.data;
  return (
    <div className="page fill">
      <div className="page-head">
        <h1 className="grow">Alerts</h1>
        {s && (
          <p className="meta">
            <span>{s.alerts_firing.toLocaleString()} firing</span>
            {s.alerts_stale > 0 && <span>{s.alerts_stale.toLocaleString()} stale</span>}
            <span>{s.alerts_held.toLocaleString()} held</span>
            <span title={Object.entries(s.alert_fates).map(([f, n]) => `${f} ${n}`).join(', ')}>{s.alerts_received.toLocaleString()} received in all</span>
            <Link href="/sources">Sources</Link>
          </p>
        )}
      </div>
      <AlertTabs />
      <div className="filters">
        <FilterText placeholder="Filter: name:Host*, ci:db1, label.job:node, severity:critical" help='name:Host* ci:web1 label.job:node severity:critical fate:held started>2h "free text"' />
        <div className="row" role="group" aria-label="Which alerts">
          {shows.map(([id, label]) => (
            <Toggle key={id} on={show === id} onClick={() => set({ show: id === 'active' ? null : id })}>
              {label}
            </Toggle>
          ))}
        </div>
      </div>
      {chosen?.[3] && <p className="note small">{chosen[3]}</p>}
      <Table
        name="alerts"
        label="Alerts"
        noun="alert"
        columns={alertColumns}
        rows={rows}
        rowKey={(a) => a.id}
        href={(a) => `/alerts/${a.id}`}
        all={(progress) => readAll((cursor) => fetchAlerts({ ...list, limit: 1000, cursor }), progress)}
        empty={
          params.get('q') ? (
            <State icon="search" title="No alert passes the filter" action={<Button variant="default" onClick={() => set({ q: null })}>Clear the filter</Button>} />
          ) : s?.alerts_received === 0 ? (
            <State icon="start" title="No alert has arrived yet" action={<Button component={Link} href="/start">First steps</Button>}>
              Point an Alertmanager here: the snippet is ready.
            </State>
          ) : (
            <State icon="check" title={show === 'active' ? 'No alert is active' : show === 'held' ? 'Nothing is held back' : 'No such alert'} action={show !== 'all' && <Button variant="default" onClick={() => set({ show: 'all' })}>Show all alerts</Button>} />
          )
        }
      />
    </div>
  );
}
