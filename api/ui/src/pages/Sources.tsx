import { Button, Modal, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { api, Fault, must, type Schemas } from '../api/client';
import { useMay, usePaged, useSources } from '../api/queries';
import { Card, Snippet } from '../components/bits';
import { Failed, Loading, State } from '../components/State';
import { Time } from '../lib/time';
import { useTitle } from '../lib/title';

const health = { healthy: ['', 'heard of late'], silent: ['wait', 'silent: its alerts become stale'], never: ['off', 'never heard'] } as const;

export default function Sources() {
  const q = useSources();
  const admin = useMay('admin');
  const responder = useMay('responder');
  const [adding, setAdding] = useState(false);
  useTitle('Sources');
  return (
    <div className="page">
      <div className="page-head">
        <h1 className="grow">Sources</h1>
        {admin && <Button onClick={() => setAdding(true)}>Add a source</Button>}
      </div>
      <Card title="Senders of alerts" flush id="senders">
        {q.error ? (
          <Failed error={q.error} retry={() => void q.refetch()} />
        ) : !q.data ? (
          <Loading lines={4} />
        ) : q.data.items.length === 0 ? (
          <State icon="sources" title="No source yet">Add one to get its Alertmanager snippet.</State>
        ) : (
          <div className="card-body scroll" tabIndex={0} role="region" aria-label="Table of senders">
            <table className="plain">
              <thead>
                <tr><th scope="col">Source</th><th scope="col">Health</th><th scope="col">Last heard</th><th scope="col">Tokens</th></tr>
              </thead>
              <tbody>
                {q.data.items.map((s) => (
                  <tr key={s.source}>
                    <td><Link href={`/alerts?show=all&q=${encodeURIComponent(`source:"${s.source}"`)}`}><strong>{s.source}</strong></Link></td>
                    <td className="nowrap"><span className={`dot ${health[s.state][0]}`} style={{ display: 'inline-block', marginRight: 7 }} />{health[s.state][1]}</td>
                    <td><Time at={s.last_heard_at} /></td>
                    <td>{s.tokens.length ? s.tokens.map((t) => t.name).join(', ') : <span className="muted">none left: it can no longer send</span>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Card>
      {responder && <Quarantine />}
      {adding && <AddSource close={() => setAdding(false)} />}
    </div>
  );
}

function Quarantine() {
  const rows = usePaged<Schemas['Quarantined']>(['alerts', 'quarantine'], (cursor) => must(api.GET('/api/v1/quarantine', { params: { query: { limit: 50, cursor } } })));
  return (
    <Card title="Quarantine: what could not be read as an alert" flush id="quarantine">
      {rows.error ? (
        <Failed error={rows.error} retry={rows.retry} />
      ) : rows.loading ? (
        <Loading lines={3} />
      ) : rows.items.length === 0 ? (
        <p className="muted" style={{ padding: 14 }}>Everything that arrived could be read.</p>
      ) : (
        <>
          {rows.items.map((r, i) => (
            <details key={i} className="alert-row">
              <summary>
                <span className="grow wrap">{r.reason}</span>
                <span className="muted small">{r.source}</span>
                <span className="muted small"><Time at={r.at} /></span>
              </summary>
              <div style={{ marginTop: 8 }}><Snippet text={r.raw} label="the raw alert" /></div>
            </details>
          ))}
          {rows.more && <div className="row" style={{ padding: 12 }}><Button variant="default" onClick={rows.loadMore} loading={rows.loadingMore}>Older</Button></div>}
        </>
      )}
    </Card>
  );
}

export function AddSource({ close }: { close: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState('Alertmanager');
  const [source, setSource] = useState('');
  const make = useMutation({
    mutationFn: () => must(api.POST('/api/v1/sources', { body: { name, source: source || undefined } })),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['sources'] });
      void client.invalidateQueries({ queryKey: ['tokens'] });
    },
  });
  const fault = make.error ? Fault.of(make.error) : undefined;
  return (
    <Modal opened onClose={close} title="Add a source of alerts" size="lg" closeButtonProps={{ 'aria-label': 'Close' }}>
      {make.data ? (
        <div className="stack">
          <p>
            The token in this snippet is shown this once. Put the receiver into your Alertmanager's configuration and route to it.
          </p>
          <Snippet text={make.data.alertmanager} label="Alertmanager configuration" />
          <div className="row" style={{ justifyContent: 'flex-end' }}><Button onClick={close}>Done</Button></div>
        </div>
      ) : (
        <form className="stack" onSubmit={(e) => { e.preventDefault(); make.mutate(); }}>
          <TextInput label="What it is" required value={name} onChange={(e) => setName(e.currentTarget.value)} error={fault?.fields.name} data-autofocus />
          <TextInput label="Its name in alerts" description="Leave it empty for a new one. Both halves of an Alertmanager pair share one name." value={source} onChange={(e) => setSource(e.currentTarget.value)} error={fault?.fields.source} />
          {fault && <p className="note bad" role="alert">{fault.message}</p>}
          <div className="row" style={{ justifyContent: 'flex-end' }}>
            <Button variant="default" onClick={close}>Back</Button>
            <Button type="submit" loading={make.isPending}>Make the token</Button>
          </div>
        </form>
      )}
    </Modal>
  );
}

