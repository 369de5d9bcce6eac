import { Link } from 'wouter';
import { useEndings } from '../api/assets';
import type { Schemas } from '../api/client';
import { CiLink, Toggle } from '../components/bits';
import { FilterQuery } from '../components/Filter';
import { State } from '../components/State';
import { Table, type Column } from '../components/Table';
import { InventoryTabs } from '../components/Tabs';
import { label } from '../lib/attributes';
import { useTitle } from '../lib/title';
import { useUrlState } from '../lib/url';

type Row = Schemas['Ending'];
const spans: [string, string][] = [['30d', '30 days'], ['90d', '90 days'], ['52w', 'A year'], ['260w', '5 years']];

const columns: Column<Row>[] = [
  { id: 'days', label: 'In', width: 'fit', align: 'end', first: true, bare: true, cell: (e) => <span className={`chip ${e.days < 0 ? 'bad' : e.days <= 30 ? 'warn' : ''}`}>{e.days < 0 ? `${-e.days} d over` : `${e.days} d`}</span>, text: (e) => e.days },
  { id: 'name', label: 'Item', width: 'lead', bare: true, cell: (e) => <span className="primary"><CiLink id={e.ci} name={e.name} /></span>, text: (e) => e.name },
  { id: 'field', label: 'What ends', width: 'fit', bare: true, cell: (e) => label(e.field), text: (e) => e.field },
  { id: 'date', label: 'On', width: 'fit', bare: true, cell: (e) => e.date.slice(0, 10), text: (e) => e.date },
  { id: 'class', label: 'Class', width: 'fit', cell: (e) => e.class.replaceAll('_', ' '), text: (e) => e.class },
  { id: 'owner', label: 'Owner', width: '14%', cell: (e) => e.owner || null, text: (e) => e.owner },
];

export default function Endings() {
  const [params, set] = useUrlState();
  const within = params.get('within') ?? '90d';
  const q = useEndings(params.get('q') ?? undefined, within);
  useTitle('What ends');
  const items = q.data?.items ?? [];
  return (
    <div className="page fill">
      <div className="page-head"><h1 className="grow">Inventory</h1></div>
      <InventoryTabs />
      <div className="filters">
        <FilterQuery placeholder="Only items that match: owner:ada, class:certificate" />
        <div className="row" role="group" aria-label="How far to look">
          {spans.map(([s, name]) => <Toggle key={s} on={within === s} onClick={() => set({ within: s === '90d' ? null : s })}>{name}</Toggle>)}
        </div>
      </div>
      <Table
        name="endings" label="What ends" noun="date" columns={columns} rows={{ items, loading: q.isPending, error: q.error, retry: () => void q.refetch() }}
        rowKey={(e) => e.ci + e.field} href={(e) => `/inventory/${encodeURIComponent(e.ci)}`} all={async () => items}
        empty={<State icon="check" title="Nothing ends in this span" action={<Link href="/inventory">All items</Link>}>Warranties, end of life, contracts and certificates appear here before they are over; what is over comes first.</State>}
      />
    </div>
  );
}
