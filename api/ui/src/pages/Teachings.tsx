import { Button, Modal, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, Fault, must, type Schemas } from '../api/client';
import { useMay, usePaged, type Alert } from '../api/queries';
import { FilterToggle } from '../components/Filter';
import { State } from '../components/State';
import { Table, type Column } from '../components/Table';
import { AlertTabs } from '../components/Tabs';
import { known, Time } from '../lib/time';
import { useTitle } from '../lib/title';
import { useUrlState } from '../lib/url';

type Teaching = Schemas['Teaching'];
type Kind = Schemas['NewTeaching']['kind'];

const kinds: Record<string, string> = { not_related: 'not related', related: 'related', always_page: 'always page' };

/** What people taught the correlator; each lesson can be taken back. */
export default function Teachings() {
  const [params] = useUrlState();
  const all = params.get('all') === '1';
  const rows = usePaged<Teaching>(['teachings', all], (cursor) => must(api.GET('/api/v1/teachings', { params: { query: { limit: 200, all: all || undefined, cursor } } })));
  const may = useMay('responder');
  const client = useQueryClient();
  const drop = useMutation({
    mutationFn: (id: string) => must(api.DELETE('/api/v1/teachings/{id}', { params: { path: { id } } })),
    onSuccess: () => void client.invalidateQueries({ queryKey: ['teachings'] }),
  });
  useTitle('Teachings');
  const columns: Column<Teaching>[] = [
    { id: 'kind', label: 'Kind', width: 'fit', first: true, bare: true, cell: (t) => <span className="chip">{kinds[t.kind] ?? t.kind}</span>, text: (t) => t.kind },
    { id: 'text', label: 'What was taught', width: 'lead', bare: true, cell: (t) => <span title={t.text}>{t.text}{t.reason && <span className="muted"> · {t.reason}</span>}</span>, text: (t) => t.text },
    { id: 'uses', label: 'Used', width: 'fit', align: 'end', cell: (t) => t.uses, text: (t) => t.uses },
    { id: 'last', label: 'Last used', width: 'fit', cell: (t) => (known(t.last_used_at) ? <Time at={t.last_used_at} /> : <span className="muted">never</span>), text: (t) => t.last_used_at },
    { id: 'by', label: 'By', width: 'fit', cell: (t) => <>{t.by}, <Time at={t.at} /></>, text: (t) => t.by },
    { id: 'end', label: 'Take back', width: 'fit', bare: true, cell: (t) => (known(t.withdrawn_at) ? <span className="muted">taken back by {t.withdrawn_by}</span> : may ? <Button size="compact-xs" variant="default" loading={drop.isPending && drop.variables === t.id} onClick={() => drop.mutate(t.id)} aria-label={`Take back: ${t.text}`}>Take it back</Button> : null) },
  ];
  return (
    <div className="page fill">
      <div className="page-head"><h1 className="grow">Alerts</h1></div>
      <AlertTabs />
      <div className="filters"><FilterToggle name="all">Also what was taken back</FilterToggle></div>
      {drop.error && <p className="note bad" role="alert">{Fault.of(drop.error).message}</p>}
      <Table name="teachings" label="Teachings" noun="lesson" columns={columns} rows={rows} rowKey={(t) => t.id} empty={<State icon="help" title="Nothing was taught yet">Merging and splitting incidents teaches, and so do the verbs of an alert: “does not belong here”, “always page”. Later decisions name the lesson that they followed.</State>} />
    </div>
  );
}

const asks: Record<'not_related' | 'always_page', { title: string; text: (a: Alert) => string }> = {
  not_related: { title: 'It does not belong here', text: (a) => `Alerts ${a.name} on ${a.binding?.name ?? 'this item'} are not grouped with failures such as ${a.incident} any more.` },
  always_page: { title: 'Always page', text: (a) => `Alerts ${a.name} on ${a.binding?.name ?? 'this item'} are never held, and people are told whatever the hour.` },
};

/** The lessons that one alert can give. */
export function Teach({ a }: { a: Alert }) {
  const may = useMay('responder');
  const [kind, setKind] = useState<'not_related' | 'always_page'>();
  if (!may) return null;
  return (
    <>
      {a.incident && <Button variant="default" onClick={() => setKind('not_related')}>{asks.not_related.title}</Button>}
      <Button variant="default" onClick={() => setKind('always_page')}>{asks.always_page.title}</Button>
      {kind && <TeachDialog a={a} kind={kind} close={() => setKind(undefined)} />}
    </>
  );
}

function TeachDialog({ a, kind, close }: { a: Alert; kind: 'not_related' | 'always_page'; close: () => void }) {
  const client = useQueryClient();
  const [reason, setReason] = useState('');
  const teach = useMutation({
    mutationFn: () => must(api.POST('/api/v1/teachings', { body: { kind: kind as Kind, alert: a.id, reason: reason || undefined } })),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['teachings'] });
      void client.invalidateQueries({ queryKey: ['alert', a.id] });
    },
  });
  const fault = teach.error ? Fault.of(teach.error) : undefined;
  return (
    <Modal opened onClose={close} title={asks[kind].title} closeButtonProps={{ 'aria-label': 'Close' }}>
      {teach.data ? (
        <div className="stack">
          <p>Taught: {teach.data.text}</p>
          <div className="row" style={{ justifyContent: 'flex-end' }}><Button onClick={close}>Done</Button></div>
        </div>
      ) : (
        <form className="stack" onSubmit={(e) => { e.preventDefault(); teach.mutate(); }}>
          <p>{asks[kind].text(a)} It can be taken back under Teachings.</p>
          <TextInput label="Why" value={reason} onChange={(e) => setReason(e.currentTarget.value)} error={fault?.fields.reason} data-autofocus />
          {fault && <p className="note bad" role="alert">{fault.message}</p>}
          <div className="row" style={{ justifyContent: 'flex-end' }}>
            <Button variant="default" onClick={close}>Back</Button>
            <Button type="submit" loading={teach.isPending}>Teach it</Button>
          </div>
        </form>
      )}
    </Modal>
  );
}
