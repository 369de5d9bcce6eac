import { Link } from 'wouter';
import { useAlert, useAlerts } from '../api/queries';
import { AlertWhy } from '../components/AlertsByCi';
import { Card, CiLink, FateChip, Severity, StateChip } from '../components/bits';
import { Failed, Loading, State } from '../components/State';
import { Table } from '../components/Table';
import { count } from '../lib/text';
import { Time } from '../lib/time';
import { useTitle } from '../lib/title';
import { alertColumns } from './Alerts';
import { Teach } from './Teachings';

const columns = alertColumns.filter((c) => ['status', 'name', 'fate', 'incident', 'started'].includes(c.id)).map((c) => ({ ...c, sort: undefined }));

export default function Alert({ id }: { id: string }) {
  const q = useAlert(id);
  const same = useAlerts({ q: q.data ? `fingerprint:${q.data.fingerprint}` : undefined, limit: 50 }, !!q.data);
  useTitle(q.data?.name ?? id);
  if (q.error) return <Failed page error={q.error} retry={() => void q.refetch()} />;
  if (!q.data) return <Loading />;
  const a = q.data;
  const others = { ...same, items: same.items.filter((o) => o.id !== a.id), more: false };
  return (
    <div className="page">
      <div className="headline">
        <Severity value={a.severity} />
        <h1>{a.name}</h1>
        <div className="actions"><Teach a={a} /></div>
      </div>
      <div className="meta">
        <code>{a.id}</code>
        <StateChip state={a.status} />
        <FateChip a={a} />
        {a.incident && <Link href={`/incidents/${a.incident}`}>{a.incident}</Link>}
        {a.binding && <span>on <CiLink id={a.binding.ci} name={a.binding.name} /></span>}
      </div>
      {a.annotations.summary && <p className="wrap">{a.annotations.summary}</p>}
      <div className="detail">
        <div>
          <Card title="Fate and why" id="fate">
            <AlertWhy a={a} />
          </Card>
          <Card title="Other times it fired" flush id="same">
            <Table name="alert-same" label="Other episodes of this alert" short columns={columns} rows={others} rowKey={(o) => o.id} href={(o) => `/alerts/${o.id}`} empty={<State title="It fired only this once" />} />
          </Card>
        </div>
        <div>
          <Card title="As received" id="received">
            <dl className="facts">
              <dt>Source</dt>
              <dd><Link href="/sources">{a.source}</Link></dd>
              <dt>Starts at</dt>
              <dd><Time at={a.starts_at} mode="clock" />{a.clamped && <span className="muted"> (implausible, was clamped)</span>}</dd>
              {a.onset !== a.starts_at && <><dt>Symptom since</dt><dd><Time at={a.onset} mode="clock" /></dd></>}
              {a.ends_at && <><dt>Ended</dt><dd><Time at={a.ends_at} mode="clock" /></dd></>}
              <dt>First received</dt>
              <dd><Time at={a.first_received} mode="clock" /></dd>
              <dt>Last received</dt>
              <dd><Time at={a.last_received} mode="clock" /> <span className="muted">({count(a.receipts, 'time')})</span></dd>
              <dt>Fingerprint</dt>
              <dd><code>{a.fingerprint}</code></dd>
              {a.canonical !== a.id && <><dt>Replica of</dt><dd><Link href={`/alerts/${a.canonical}`}>{a.canonical}</Link></dd></>}
            </dl>
          </Card>
          <Card title="Annotations" id="annotations">
            <dl className="facts">
              {Object.entries(a.annotations).map(([k, v]) => (
                <div key={k} style={{ display: 'contents' }}>
                  <dt>{k}</dt>
                  <dd>{/^https?:\/\//.test(v) ? <a href={v} target="_blank" rel="noreferrer">{v}</a> : v}</dd>
                </div>
              ))}
              {a.generator_url && <><dt>Rule</dt><dd>{/^https?:\/\//.test(a.generator_url) ? <a href={a.generator_url} target="_blank" rel="noreferrer">open in Prometheus</a> : a.generator_url}</dd></>}
            </dl>
          </Card>
        </div>
      </div>
    </div>
  );
}
