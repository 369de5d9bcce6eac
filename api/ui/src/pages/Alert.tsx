import { Link } from 'wouter';
import { useAlert, useAlerts, useViews, type Alert as Doc } from '../api/queries';
import { AlertWhy } from '../components/AlertsByCi';
import { Card, CiLink, FateChip, Severity, StateChip } from '../components/bits';
import { Failed, Loading, State } from '../components/State';
import { Table } from '../components/Table';
import { count } from '../lib/text';
import { Time } from '../lib/time';
import { differing, isView } from '../lib/replicas';
import { useTitle } from '../lib/title';
import { alertColumns } from './Alerts';
import { Teach } from './Teachings';

const columns = alertColumns.filter((c) => ['status', 'name', 'fate', 'incident', 'started'].includes(c.id)).map((c) => ({ ...c, sort: undefined }));

export default function Alert({ id }: { id: string }) {
  const q = useAlert(id);
  const same = useAlerts({ q: q.data ? `fingerprint:${q.data.fingerprint}` : undefined, limit: 50 }, !!q.data);
  const views = useViews(q.data);
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
      {isView(a) && a.canonical !== a.id && <ViewOf a={a} />}
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
              {Math.abs(Date.parse(a.onset) - Date.parse(a.starts_at)) >= 1000 && <><dt>Symptom since</dt><dd><Time at={a.onset} mode="clock" /></dd></>}
              {a.ends_at && <><dt>Ended</dt><dd><Time at={a.ends_at} mode="clock" /></dd></>}
              <dt>First received</dt>
              <dd><Time at={a.first_received} mode="clock" /></dd>
              <dt>Last received</dt>
              <dd><Time at={a.last_received} mode="clock" /> <span className="muted">({count(a.receipts, 'time')})</span></dd>
              <dt>Fingerprint</dt>
              <dd><code>{a.fingerprint}</code></dd>
              {a.canonical !== a.id && <><dt>Same alert as</dt><dd><Link href={`/alerts/${a.canonical}`}>{a.canonical}</Link></dd></>}
              {views.length > 0 && (
                <>
                  <dt>Other views of it</dt>
                  <dd>{views.map((v, n) => <span key={v.id}>{n > 0 && ', '}<Link href={`/alerts/${v.id}`}>{v.id}</Link>{differing(v, a) && <span className="muted"> {differing(v, a)}</span>}</span>)}</dd>
                </>
              )}
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

/** What it means that an alert is another replica's view, with the way to the alert that stands for both. */
function ViewOf({ a }: { a: Doc }) {
  const shown = useAlert(a.canonical).data;
  const replica = shown && differing(a, shown);
  return (
    <p className="note">
      The same alert as <Link href={`/alerts/${a.canonical}`}>{a.canonical}</Link>, seen by another replica of Prometheus{replica && <> (<code>{replica}</code>)</>}. It counts once
      {shown?.incident ? <>: in <Link href={`/incidents/${shown.incident}`}>{shown.incident}</Link>. This view joins it when other alerts do, or when it is the last that fires.</> : ', there.'}
    </p>
  );
}
