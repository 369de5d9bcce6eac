import { Link } from 'wouter';
import { readAll, useAudit } from '../api/queries';
import { api, must, type Schemas } from '../api/client';
import { FilterText } from '../components/Filter';
import { State } from '../components/State';
import { Table, type Column } from '../components/Table';
import { useTitle } from '../lib/title';
import { clock, Time } from '../lib/time';
import { useUrlState } from '../lib/url';

type Row = Schemas['Audit'];

/** The arguments of an act as people read them. */
function told(args: unknown): string {
  if (args === null || args === undefined) return '';
  if (typeof args !== 'object' || Array.isArray(args)) return JSON.stringify(args);
  return Object.entries(args)
    .map(([k, v]) => `${k.replaceAll('_', ' ')}: ${typeof v === 'object' ? JSON.stringify(v) : /^\d{4}-\d\d-\d\dT/.test(String(v)) ? clock(String(v)) : String(v)}`)
    .join(' · ');
}

/** Where the records of a kind have pages. */
const places: Record<string, string> = { incident: '/incidents', problem: '/problems', maintenance: '/maintenance', ci: '/inventory' };

const columns: Column<Row>[] = [
  { id: 'at', label: 'When', width: 'fit', sort: 'at', bare: true, cell: (r) => <Time at={r.at} mode="clock" />, text: (r) => r.at },
  { id: 'actor', label: 'Who', width: 'fit', bare: true, cell: (r) => r.actor, text: (r) => r.actor },
  {
    id: 'act', label: 'Act', width: 'lead', bare: true,
    cell: (r) => (
      <>
        <strong>{r.verb.replaceAll('_', ' ')}</strong> {r.kind} {r.record && places[r.kind] ? <Link href={`${places[r.kind]}/${encodeURIComponent(r.record)}`}>{r.record}</Link> : <code>{r.record}</code>}
        <span className="muted"> {told(r.args)}</span>
      </>
    ),
    text: (r) => `${r.verb} ${r.kind} ${r.record ?? ''}`,
  },
  { id: 'outcome', label: 'Outcome', width: '26%', bare: true, cell: (r) => (r.refused ? <span title={r.refused}><span className="chip bad">refused</span> {r.refused}</span> : <span className="chip good">done</span>), text: (r) => r.refused ?? 'done' },
  { id: 'remote', label: 'From', width: 'fit', cell: (r) => r.remote || null, text: (r) => r.remote ?? '' },
];

export default function Audit() {
  const [params] = useUrlState();
  useTitle('Audit');
  const list = { q: params.get('q') ?? undefined, sort: params.get('sort') ?? undefined };
  const rows = useAudit(list);
  return (
    <div className="page fill">
      <div className="page-head"><h1 className="grow">Audit</h1></div>
      <div className="filters"><FilterText placeholder="Filter: actor:mia, verb:resolve, refused:yes, record:INC00000001" /></div>
      <Table name="audit" label="Audit" noun="act" columns={columns} rows={rows} rowKey={(r) => String(r.position)} all={(progress) => readAll((cursor) => must(api.GET('/api/v1/audit', { params: { query: { ...list, limit: 1000, cursor } } })), progress)} empty={<State icon="audit" title="No act yet">Everything that people change is noted here, also what was refused.</State>} />
    </div>
  );
}
