import { Link } from 'wouter';
import { readAll, useAudit } from '../api/queries';
import { api, must, type Schemas } from '../api/client';
import { FilterText } from '../components/Filter';
import { State } from '../components/State';
import { Table, type Column } from '../components/Table';
import { useTitle } from '../lib/title';
import { Time } from '../lib/time';
import { useUrlState } from '../lib/url';

type Row = Schemas['Audit'];
const columns: Column<Row>[] = [
  { id: 'at', label: 'When', width: 'fit', sort: 'at', bare: true, cell: (r) => <Time at={r.at} mode="clock" />, text: (r) => r.at },
  { id: 'actor', label: 'Who', width: 'fit', bare: true, cell: (r) => r.actor, text: (r) => r.actor },
  {
    id: 'act', label: 'Act', width: 'lead', bare: true,
    cell: (r) => (
      <>
        <strong>{r.verb.replaceAll('_', ' ')}</strong> {r.kind} {r.kind === 'incident' && r.record ? <Link href={`/incidents/${r.record}`}>{r.record}</Link> : <code>{r.record}</code>}
        {r.args ? <span className="muted"> {JSON.stringify(r.args)}</span> : null}
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
