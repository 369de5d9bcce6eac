import { Button, Modal, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'wouter';
import { useMaintenance, useWindowAct, type Maintenance as Doc } from '../api/assets';
import { api, Fault, must } from '../api/client';
import { useAlerts, useMay, useTimeline } from '../api/queries';
import { Card, CiLink } from '../components/bits';
import { Failed, Loading, State } from '../components/State';
import { Table } from '../components/Table';
import { Timeline } from '../components/Timeline';
import { useKeys } from '../lib/keys';
import { count } from '../lib/text';
import { duration, localInput, Time } from '../lib/time';
import { useTitle } from '../lib/title';
import { alertColumns } from './Alerts';
import { WindowState } from './Maintenances';

type WindowVerb = 'extend' | 'end' | 'cancel';
const verbs: [WindowVerb, string, string][] = [['extend', 'Change its end', 't'], ['end', 'It is done', 'd'], ['cancel', 'Cancel it', 'x']];
const columns = alertColumns.filter((c) => ['severity', 'name', 'status', 'ci', 'started'].includes(c.id)).map((c) => ({ ...c, sort: undefined }));

export default function Maintenance({ id }: { id: string }) {
  const q = useMaintenance(id);
  const timeline = useTimeline('maintenance', id);
  const may = useMay('responder');
  const [verb, setVerb] = useState<WindowVerb>();
  const m = q.data;
  useTitle(m ? `${m.id} ${m.summary}` : id);
  const legal = new Set<string>(may ? (m?.legal ?? []) : []);
  const offered = verbs.filter(([v]) => legal.has(v));
  useKeys(Object.fromEntries(offered.map(([v, , key]) => [key, () => setVerb(v)])));
  // The reason of an alert's fate names the window that kept it quiet.
  const quiet = useAlerts({ q: m ? `fate:suppressed why:"*${m.summary.replaceAll('"', '')}*" received>=${m.starts_at}` : undefined, limit: 200 }, !!m && m.suppressed > 0);
  if (q.error && !m) return <Failed page error={q.error} retry={() => void q.refetch()} />;
  if (!m) return <Loading />;
  const covered = [...(m.services ?? []).map((s) => ({ id: '', name: s, class: 'service' })), ...(m.cis ?? []).map((c) => ({ id: c, name: m.refs[c]?.name ?? c, class: m.refs[c]?.class ?? '' }))];
  return (
    <div className="page">
      <div className="headline"><h1>{m.summary}</h1></div>
      <div className="meta">
        <code>{m.id}</code>
        <WindowState m={m} />
        <span><Time at={m.starts_at} mode="clock" /> to <Time at={m.ends_at} mode="clock" /> ({duration((+new Date(m.ends_at) - +new Date(m.starts_at)) / 1000)})</span>
        <span>planned by {m.created_by}</span>
        <span>{count(m.suppressed, 'alert')} kept quiet</span>
      </div>
      {offered.length > 0 && (
        <div className="actions" role="group" aria-label="What can be done">
          {offered.map(([v, label, key]) => (
            <Button key={v} variant="default" onClick={() => setVerb(v)} aria-keyshortcuts={key}>{label}<span className="btn-key" aria-hidden="true">{key}</span></Button>
          ))}
        </div>
      )}
      <div className="detail">
        <div>
          <Card title="What it kept quiet" id="quiet" flush>
            {m.suppressed === 0 ? (
              <State icon="check" title={m.state === 'planned' ? 'It has not begun' : 'No alert was suppressed'} />
            ) : (
              <Table name="quiet" label="Suppressed alerts" short columns={columns} rows={quiet} rowKey={(a) => a.id} href={(a) => `/alerts/${a.id}`} empty={<State title="Their records are gone" />} />
            )}
          </Card>
          <Card title={`What it covers (${covered.length})`} id="covers">
            {m.query && <p className="small muted" style={{ marginBottom: 8 }}>chosen by <code>{m.query}</code></p>}
            <ul className="row" style={{ gap: '4px 16px' }}>
              {covered.slice(0, 200).map((c) => <li key={c.id + c.name}>{c.id ? <CiLink id={c.id} name={c.name} /> : <strong>{c.name}</strong>} <span className="muted small">{c.class.replaceAll('_', ' ')}</span></li>)}
              {covered.length > 200 && <li className="muted">and {covered.length - 200} more</li>}
            </ul>
          </Card>
        </div>
        <div>
          <Card title="Timeline" id="timeline">{timeline.error ? <Failed error={timeline.error} /> : timeline.data ? <Timeline entries={timeline.data} /> : <Loading lines={3} />}</Card>
          <p className="small"><Link href="/maintenance">← All windows</Link></p>
        </div>
      </div>
      {verb && <WindowDialog m={m} verb={verb} close={() => setVerb(undefined)} />}
    </div>
  );
}

function WindowDialog({ m, verb, close }: { m: Doc; verb: WindowVerb; close: () => void }) {
  const [ends, setEnds] = useState(localInput(new Date(m.ends_at)));
  const [reason, setReason] = useState('');
  const title = verbs.find(([v]) => v === verb)![1];
  const act = useWindowAct(() => {
    const params = { path: { id: m.id } };
    const why = reason || undefined;
    if (verb === 'extend') return must(api.POST('/api/v1/maintenance/{id}/extend', { params, body: { ends_at: new Date(ends).toISOString(), reason: why } }));
    return must(api.POST(verb === 'end' ? '/api/v1/maintenance/{id}/end' : '/api/v1/maintenance/{id}/cancel', { params, body: { reason: why } }));
  }, close);
  const fault = act.error ? Fault.of(act.error) : undefined;
  return (
    <Modal opened onClose={close} title={title} closeButtonProps={{ 'aria-label': 'Close' }}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); act.mutate(undefined); }}>
        {verb === 'extend' && <TextInput type="datetime-local" label="It ends" required value={ends} onChange={(e) => setEnds(e.currentTarget.value)} error={fault?.fields.ends_at} data-autofocus />}
        <TextInput label="Why" value={reason} onChange={(e) => setReason(e.currentTarget.value)} error={fault?.fields.reason} {...(verb === 'extend' ? {} : { 'data-autofocus': true })} />
        {fault && Object.keys(fault.fields).length === 0 && <p className="note bad" role="alert">{fault.message}</p>}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={close}>Back</Button>
          <Button type="submit" loading={act.isPending}>{title}</Button>
        </div>
      </form>
    </Modal>
  );
}
