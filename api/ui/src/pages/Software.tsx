import { Button } from '@mantine/core';
import { Link } from 'wouter';
import { fetchSoftware, quoted, readAll, useCis, useSoftware, type Product } from '../api/queries';
import { Card, CiLink } from '../components/bits';
import { FilterQuery, FilterText } from '../components/Filter';
import { Failed, Loading, State } from '../components/State';
import { Table, type Column } from '../components/Table';
import { count } from '../lib/text';
import { useTitle } from '../lib/title';
import { useUrlState, withParams } from '../lib/url';

const columns: Column<Product>[] = [
  { id: 'name', label: 'Product', width: 'lead', bare: true, cell: (p) => <Link className="primary" href={href(p)}>{p.name}</Link>, text: (p) => p.name },
  { id: 'type', label: 'Type', width: 'fit', bare: true, cell: (p) => <span className="chip">{p.type}</span>, text: (p) => p.type },
  { id: 'newest', label: 'Newest here', width: '22%', cell: (p) => p.versions[0]?.version ?? null, text: (p) => p.versions[0]?.version },
  { id: 'versions', label: 'Versions', width: 'fit', align: 'end', cell: (p) => (p.versions.length > 1 ? <span className="chip warn">{p.versions.length}</span> : p.versions.length), text: (p) => p.versions.length },
  { id: 'hosts', label: 'Hosts', width: 'fit', align: 'end', cell: (p) => p.hosts, text: (p) => p.hosts },
];

function href(p: Product): string {
  return `/software?type=${encodeURIComponent(p.type)}&product=${encodeURIComponent(p.name)}`;
}

export default function Software() {
  const [params, set] = useUrlState();
  const product = params.get('product');
  useTitle(product ?? 'Software');
  const list = { q: params.get('q') ?? undefined, cis: params.get('cis') ?? undefined };
  const rows = useSoftware(list);
  if (product) return <Versions name={product} type={params.get('type') ?? ''} />;
  return (
    <div className="page fill">
      <div className="page-head"><h1 className="grow">Software</h1></div>
      <div className="filters">
        <FilterText placeholder="Part of a name, or a pattern: openssl, lib*" />
        <FilterQuery name="cis" placeholder="Only on hosts that match: team:shop, os:debian" />
      </div>
      <Table
        name="software" label="Software" noun="product" columns={columns} rows={rows} rowKey={(p) => `${p.type}/${p.name}`} href={href}
        all={(progress) => readAll((cursor) => fetchSoftware({ ...list, limit: 1000, cursor }), progress)}
        empty={
          list.q || list.cis ? (
            <State icon="search" title="No product passes the filter" action={<Button variant="default" onClick={() => set({ q: null, cis: null })}>Show all</Button>} />
          ) : (
            <State icon="software" title="No software known yet" action={<Button component={Link} href="/start">Connect a host</Button>}>
              Agents report every installed package; this page counts them over all hosts.
            </State>
          )
        }
      />
    </div>
  );
}

function Versions({ name, type }: { name: string; type: string }) {
  const [params] = useUrlState();
  const q = useSoftware({ q: quoted(name), type });
  const p = q.items.find((x) => x.name === name && x.type === type);
  const chosen = params.get('version') ?? p?.versions[0]?.version;
  if (q.error) return <Failed page error={q.error} retry={q.retry} />;
  if (q.loading) return <Loading />;
  if (!p) return <State page icon="software" title={`No host has ${name}`} action={<Link href="/software">All software</Link>} />;
  return (
    <div className="page">
      <div className="headline"><h1>{p.name}</h1></div>
      <div className="meta">
        <span className="chip">{p.type}</span>
        <span>{count(p.versions.length, 'version')} on {count(p.hosts, 'host')}</span>
        <Link href="/software">All software</Link>
      </div>
      <div className="split">
        <Card title="Versions, newest first" flush id="versions">
          <ul className="picklist">
            {p.versions.map((v) => (
              <li key={v.version} className="pick">
                <Link href={withParams('/software', '', { type, product: name, version: v.version })} aria-current={v.version === chosen ? 'true' : undefined}>
                  <code>{v.version}</code>
                  <span className="muted">{count(v.hosts, 'host')}</span>
                </Link>
              </li>
            ))}
          </ul>
        </Card>
        {chosen && <Hosts name={name} version={chosen} />}
      </div>
    </div>
  );
}

function Hosts({ name, version }: { name: string; version: string }) {
  const rows = useCis({ q: `software:"${name}"="${version}"`, limit: 500 });
  return (
    <Card title={`Hosts with ${version}`} flush id="hosts">
      {rows.error ? <Failed error={rows.error} retry={rows.retry} /> : rows.loading ? <Loading lines={4} /> : rows.items.length === 0 ? <State title="No host has this version now" /> : (
        <ul className="picklist">
          {rows.items.map((c) => (
            <li key={c.id} className="row"><CiLink id={c.id} name={c.name} /> <span className="muted small">{String(c.attributes?.os_name ?? '')}</span></li>
          ))}
          {rows.more && <li><Button variant="default" loading={rows.loadingMore} onClick={rows.loadMore}>More</Button></li>}
        </ul>
      )}
    </Card>
  );
}
