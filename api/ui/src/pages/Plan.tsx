import { Button, Modal, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { useWindowAct } from '../api/assets';
import { api, Fault, must } from '../api/client';
import { CiPicker, type Picked } from '../components/CiPicker';
import { QueryField } from '../components/QueryField';
import { duration, localInput } from '../lib/time';

/** Plans a window on items, or on what matches a query. */
export function Plan({ close, on = [] }: { close: () => void; on?: Picked[] }) {
  const [, go] = useLocation();
  const now = new Date();
  const [summary, setSummary] = useState('');
  const [from, setFrom] = useState(localInput(now));
  const [to, setTo] = useState(localInput(new Date(now.getTime() + 3600_000)));
  const [items, setItems] = useState<Picked[]>(on);
  const [query, setQuery] = useState('');
  const plan = useWindowAct(
    () => {
      const start = new Date(from);
      return must(api.POST('/api/v1/maintenance', {
        body: {
          summary, cis: items.length ? items.map((i) => i.id) : undefined, query: query.trim() || undefined,
          starts_at: start.getTime() > Date.now() ? start.toISOString() : undefined, ends_at: to ? new Date(to).toISOString() : '',
        },
      }));
    },
    (m) => { close(); go(`/maintenance/${m.id}`); },
  );
  const fault = plan.error ? Fault.of(plan.error) : undefined;
  const length = (+new Date(to) - +new Date(from)) / 1000;
  return (
    <Modal opened onClose={close} title="Plan a maintenance window" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form className="stack" onSubmit={(e) => { e.preventDefault(); plan.mutate(undefined); }}>
        <TextInput label="What is done" required value={summary} onChange={(e) => setSummary(e.currentTarget.value)} error={fault?.fields.summary} data-autofocus />
        <div className="row" style={{ alignItems: 'start' }}>
          <TextInput type="datetime-local" label="From" required value={from} onChange={(e) => setFrom(e.currentTarget.value)} error={fault?.fields.starts_at} />
          <TextInput type="datetime-local" label="To" required value={to} onChange={(e) => setTo(e.currentTarget.value)} error={fault?.fields.ends_at} />
          <span className="muted small" style={{ alignSelf: 'end', paddingBottom: 6 }}>{length > 0 ? duration(length) : ''}</span>
        </div>
        <CiPicker label="Items and services that are worked on" value={items} onChange={setItems} error={fault?.fields.cis} />
        <QueryField field label="And all that match" value={query} onChange={setQuery} placeholder="class:host location:ams1" error={fault?.fields.query} />
        {fault && !['summary', 'starts_at', 'ends_at', 'cis', 'query'].some((f) => fault.fields[f]) && <p className="note bad" role="alert">{fault.message}</p>}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={close}>Back</Button>
          <Button type="submit" disabled={items.length === 0 && !query.trim()} loading={plan.isPending}>Plan it</Button>
        </div>
      </form>
    </Modal>
  );
}

