import { Link } from 'wouter';
import { useQuality } from '../api/assets';
import { Card, CiLink, Meter } from '../components/bits';
import { Failed, Loading } from '../components/State';
import { InventoryTabs } from '../components/Tabs';
import { label } from '../lib/attributes';
import { count } from '../lib/text';
import { useTitle } from '../lib/title';

/** The list behind a number. */
const items = (q: string) => `/inventory?class=all&q=${encodeURIComponent(q)}`;

export default function Quality() {
  const q = useQuality();
  useTitle('Inventory quality');
  return (
    <div className="page">
      <div className="page-head"><h1 className="grow">Inventory</h1></div>
      <InventoryTabs />
      {q.error ? <Failed error={q.error} retry={() => void q.refetch()} /> : !q.data ? <Loading /> : (
        <div className="detail">
          <div>
            <Card title="By class and owner" id="groups" flush>
              <div className="card-body scroll" tabIndex={0} role="region" aria-label="Quality by class and owner">
                <table className="plain num">
                  <thead><tr><th scope="col">Class</th><th scope="col">Owner</th><th scope="col" className="end">Items</th><th scope="col">Complete</th><th scope="col" className="end">Stale</th><th scope="col" className="end">Gone</th><th scope="col" className="end">Without relation</th></tr></thead>
                  <tbody>
                    {q.data.groups.map((g) => {
                      const mine = `class:${g.class} ${g.owner ? `owner:"${g.owner}"` : 'not owner:*'}`;
                      return (
                        <tr key={`${g.class} ${g.owner}`}>
                          <td><Link href={items(mine)}><strong>{g.class.replaceAll('_', ' ')}</strong></Link></td>
                          <td>{g.owner || <span className="muted">nobody</span>}</td>
                          <td className="end">{g.items.toLocaleString()}</td>
                          <td><Meter value={g.items ? g.complete / g.items : 1} /></td>
                          <td className="end">{g.stale ? <Link href={items(`${mine} liveness:stale`)}>{g.stale}</Link> : <span className="muted">0</span>}</td>
                          <td className="end">{g.gone ? <Link href={items(`${mine} liveness:gone`)}>{g.gone}</Link> : <span className="muted">0</span>}</td>
                          <td className="end">{g.orphans || <span className="muted">0</span>}</td>
                        </tr>
                      );
                    })}
                  </tbody>
                </table>
              </div>
            </Card>
          </div>
          <div>
            <Card title="What is missing most" id="missing">
              {Object.keys(q.data.missing).length === 0 ? <p className="muted">Every required field has a value.</p> : (
                <dl className="facts roomy">
                  {Object.entries(q.data.missing).sort(([, a], [, b]) => b - a).slice(0, 20).map(([f, n]) => (
                    <div key={f} style={{ display: 'contents' }}>
                      <dt>{label(f)}</dt>
                      <dd><Link href={items(`not ${f}:*`)}>{count(n, 'item')}</Link></dd>
                    </div>
                  ))}
                </dl>
              )}
            </Card>
            <Card title="Probable duplicates" id="duplicates">
              {q.data.duplicates.length === 0 ? <p className="muted">No two items share an identifier.</p> : (
                <ul className="stack" style={{ gap: 6 }}>
                  {q.data.duplicates.map((d) => (
                    <li key={d.field + d.value} className="wrap">
                      <span className="muted small">{label(d.field)}</span> <code>{d.value}</code>: {d.cis.slice(0, 5).map((id, n) => <span key={id}>{n > 0 && ', '}<CiLink id={id} /></span>)}{d.cis.length > 5 && ` and ${d.cis.length - 5} more`}
                    </li>
                  ))}
                </ul>
              )}
            </Card>
          </div>
        </div>
      )}
    </div>
  );
}
